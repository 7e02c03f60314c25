import Testing
import VirtCore
import VirtXML

@Suite("Parsing documents")
struct XMLDocumentTests {
    private func failure(_ text: String, limits: XMLLimits = XMLLimits()) -> VirtError? {
        do {
            _ = try XMLDocument.parse(text, name: "domain_definition", domain: .domain, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    @Test("a broken document is reported with line, text and an arrow to the place")
    func brokenDocument() {
        let error = failure("<domain type='qemu'>\n  <name>x</name>\n  <memory>1</memry>\n</domain>\n")
        #expect(error?.code == .xmlDetail)
        #expect(error?.domain == .domain)
        #expect(
            error?.message == """
                (domain_definition):3: Opening and ending tag mismatch: memory line 3 and memry
                  <memory>1</memry>
                -------------------^
                """)
    }

    @Test("the end of the text in the middle of an element is reported")
    func prematureEnd() {
        #expect(
            failure("<domain><name>x")?.message == """
                (domain_definition):1: Premature end of data in tag name line 1
                <domain><name>x
                ---------------^
                """)
    }

    @Test("a document that declares entities is refused before they are used")
    func entities() {
        let bomb = """
            <!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">]>
            <d>&c;</d>
            """
        #expect(failure(bomb)?.message.contains("Entity declarations are not allowed") == true)
        let external = "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><d>&x;</d>"
        #expect(failure(external)?.message.contains("Entity declarations are not allowed") == true)
    }

    @Test("nesting of more than 256 levels is refused")
    func depth() {
        let deep = String(repeating: "<a>", count: 300) + String(repeating: "</a>", count: 300)
        #expect(failure(deep)?.message.contains("Excessive depth") == true)
    }

    @Test("a document above the size limit is refused")
    func size() {
        let error = failure("<a>\(String(repeating: "x", count: 100))</a>", limits: XMLLimits(maximumSize: 50))
        #expect(error?.code == .xmlError)
        #expect(error?.message.contains("exceeds the limit of 50 bytes") == true)
    }

    @Test("what is not UTF-8 is refused", arguments: [[0xFF, 0xFE] as [UInt8], [0xC3], [0x00], []])
    func encoding(bytes: [UInt8]) {
        let document = Array("<a>".utf8) + bytes + Array((bytes.isEmpty ? "" : "</a>").utf8)
        #expect(throws: VirtError.self) {
            try XMLDocument.parse(document, name: "x", domain: .domain)
        }
    }

    @Test("another root element is named in the error")
    func root() {
        let error = #expect(throws: VirtError.self) {
            try XMLDocument.root("domain", of: "<network/>".utf8, name: "domain_definition", domain: .domain)
        }
        #expect(error?.message == "XML error: expecting root element of 'domain', not 'network'")
        #expect(error?.domain == .xml)
    }

    @Test("documents that differ in white space and attribute order are equal as trees")
    func trees() throws {
        let one = try XMLTree(parsing: "<a x='1' y='2'><b> t </b></a>")
        #expect(one == (try XMLTree(parsing: "<a y=\"2\" x=\"1\">\n  <b>t</b>\n</a>")))
        #expect(one != (try XMLTree(parsing: "<a x='1' y='2'><b>u</b></a>")))
    }
}
