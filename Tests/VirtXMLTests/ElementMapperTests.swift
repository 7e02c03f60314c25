import Testing
import VirtCore
import VirtXML

private enum Bus: String, XMLEnum { case ide, virtio }

private struct Driver: XMLMappable, Equatable {
    var name = "qemu"
    var discard: String?
    var packed: Bool?
    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("name", &name)
        try x.attribute("discard", &discard)
        try x.attribute("packed", &packed, .onOff)
    }
}

private struct Disk: XMLMappable, Equatable {
    var bus = Bus.ide
    var slot: UInt8?
    var size: UInt64?
    var driver: Driver?
    var file: String?
    var readonly = false
    var tags: [String] = []
    var arguments: [String] = []

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        x.namespace("q", "http://example.org/q", used: !arguments.isEmpty)
        try x.attribute("bus", &bus, invalid: .unsupported("unknown bus"))
        try x.attribute("slot", &slot, .hex(2))
        try x.element("driver", &driver)
        try x.group("source") { try $0.attribute("file", &file) }
        try x.sizeElement("size", kibibytes: &size)
        try x.presence("readonly", &readonly)
        try x.textElements("tag", &tags)
        try x.group("q:extra") { try $0.textElements("q:arg", &arguments) }
    }
}

@Suite("One function reads and prints an element")
struct ElementMapperTests {
    private func read(_ text: String) throws -> Disk {
        let document = try XMLDocument.parse(text, name: "x", domain: .domain)
        return try ElementReader.read(try #require(document.root))
    }

    @Test("a value is printed as libvirt prints it and read back")
    func roundTrip() throws {
        var disk = Disk()
        disk.bus = .virtio
        disk.slot = 10
        disk.driver = Driver(name: "a'b&<\"", discard: nil, packed: true)
        disk.file = "/x"
        disk.readonly = true
        disk.size = 2048
        disk.tags = ["one", "t<o"]
        disk.arguments = ["-x"]
        let text = try ElementWriter.document("disk", disk)
        #expect(
            text == """
                <disk xmlns:q='http://example.org/q' bus='virtio' slot='0x0a'>
                  <driver name='a&apos;b&amp;&lt;&quot;' packed='on'/>
                  <source file='/x'/>
                  <size unit='KiB'>2048</size>
                  <readonly/>
                  <tag>one</tag>
                  <tag>t&lt;o</tag>
                  <q:extra>
                    <q:arg>-x</q:arg>
                  </q:extra>
                </disk>

                """)
        #expect(try read(text) == disk)
    }

    @Test("what is not set is not printed, and an element without children is closed at once")
    func empty() throws {
        #expect(try ElementWriter.document("disk", Disk()) == "<disk bus='ide'/>\n")
    }

    @Test("unknown elements and attributes are dropped")
    func unknown() throws {
        #expect(try read("<disk bus='virtio' new='1'><other><deep/></other><readonly/></disk>").readonly)
    }

    @Test("a namespace is known by its address, whatever its prefix")
    func namespaces() throws {
        let disk = try read("<disk xmlns:z='http://example.org/q'><z:extra><z:arg>1</z:arg></z:extra></disk>")
        #expect(disk.arguments == ["1"])
        #expect(try read("<disk><extra><arg>1</arg></extra></disk>").arguments.isEmpty)
    }

    @Test("a wrong value names the attribute and the element")
    func wrongValue() {
        #expect(
            throws: VirtError(
                .xmlError, .xml,
                "Invalid value for attribute 'slot' in element 'disk': '0x100'. Expected non-negative integer value")
        ) { try read("<disk slot='0x100'/>") }
        #expect(throws: VirtError(.configUnsupported, .domain, "unknown bus 'pci'")) { try read("<disk bus='pci'/>") }
        #expect(throws: VirtError(.xmlError, .xml, "Invalid value for attribute 'packed' in element 'driver': 'yes'."))
        {
            try read("<disk><driver packed='yes'/></disk>")
        }
    }

    @Test(
        "sizes are read with any unit and rounded up to KiB",
        arguments: [("1", "b", 1), ("3", "MiB", 3072), ("1000", "KB", 977), ("2", "G", 2 << 20), ("5", "", 5)])
    func sizes(number: String, unit: String, expected: Int) throws {
        let disk = try read("<disk><size unit='\(unit)'>\(number)</size></disk>")
        #expect(disk.size == UInt64(expected))
    }

    @Test(
        "sizes beyond 64 bits and unknown units are refused", arguments: [("1", "zz"), ("18446744073709551615", "K")])
    func hugeSizes(number: String, unit: String) {
        #expect(throws: VirtError.self) { try read("<disk><size unit='\(unit)'>\(number)</size></disk>") }
    }

    @Test("numbers are read as C reads them, without its overflows")
    func numbers() {
        #expect(IntegerText.parse(" 12") as UInt8? == 12)
        #expect(IntegerText.parse("+7") as Int? == 7)
        #expect(IntegerText.parse("-128") as Int8? == -128)
        #expect(IntegerText.parse("-129") as Int8? == nil)
        #expect(IntegerText.parse("-1") as UInt32? == nil)
        #expect(IntegerText.parse("0x1F", anyBase: true) as UInt32? == 31)
        #expect(IntegerText.parse("010", anyBase: true) as UInt32? == 8)
        #expect(IntegerText.parse("0", anyBase: true) as UInt32? == 0)
        #expect(IntegerText.parse("1 ") as UInt32? == nil)
        #expect(IntegerText.parse("") as UInt32? == nil)
        #expect(IntegerText.parse("99999999999999999999") as UInt64? == nil)
    }

    @Test("numbers are printed in the base and with the digits that their format says")
    func printedNumbers() {
        #expect(UInt32(255).xml(format: .hex(4)) == "0x00ff")
        #expect(UInt32(255).xml(format: .hex(1)) == "0xff")
        #expect(UInt64.max.xml(format: .upperHex(2)) == "0xFFFFFFFFFFFFFFFF")
        #expect(UInt64.max.xml(format: .octal(1)) == "1777777777777777777777")
        #expect(UInt16(420).xml(format: .octal(4)) == "0644")
        #expect(Int8.min.xml(format: .plain) == "-128")
        #expect(Int32(-1).xml(format: .hex(2)) == "-1")
        #expect(UInt8(0).xml(format: .anyBase) == "0")
        #expect(UInt8(0).xml(format: .hex(0)) == "0x0")
    }

    @Test("text that is longer than the first room for it is printed whole")
    func longText() throws {
        var disk = Disk()
        disk.file = String(repeating: "a<b", count: 5000)
        let text = try ElementWriter.document("disk", disk)
        #expect(text.contains("file='\(String(repeating: "a&lt;b", count: 5000))'"))
        #expect(try read(text).file == disk.file)
    }

    @Test("in an element that is kept as it came, white space between elements is indented anew, in text it stays")
    func fragmentIndentation() throws {
        let text = """
            <m><metadata>
                 <a:b xmlns:a="http://x">

            <a:c/><a:d>text <e/>
              more</a:d>
                 <a:f>  </a:f></a:b></metadata></m>
            """
        let document = try XMLDocument.parse(text, name: "x", domain: .domain)
        var reader = ElementReader(try #require(document.root))
        var kept: XMLFragment?
        reader.fragment("metadata", &kept, level: 1)
        #expect(
            kept?.text == """
                <metadata>
                    <a:b xmlns:a="http://x">
                      <a:c/>
                      <a:d>text <e/>
                  more</a:d>
                      <a:f>  </a:f>
                    </a:b>
                  </metadata>
                """)
    }

    @Test("an element that is kept as it came is printed as it came")
    func fragments() throws {
        let text = "<m><metadata><a:b xmlns:a=\"http://x\" c=\"1\"><!-- hi -->t</a:b></metadata></m>"
        let document = try XMLDocument.parse(text, name: "x", domain: .domain)
        var reader = ElementReader(try #require(document.root))
        var kept: XMLFragment?
        reader.fragment("metadata", &kept, level: 1)
        #expect(
            kept?.text == """
                <metadata>
                    <a:b xmlns:a="http://x" c="1"><!-- hi -->t</a:b>
                  </metadata>
                """)
    }
}
