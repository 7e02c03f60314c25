import QEMUCommand
import QEMUMonitor
import Testing
import VirtCore
import VirtModel

@Suite struct CommandLineTests {
    private func prepared(_ name: String) throws -> Domain {
        var domain = try Domain.parse(Fixture.text("\(name).xml"))
        domain.prepareForNative()
        try domain.reassignAddresses(GuestFixture.context())
        domain.assignAliases()
        domain.assignNodeIndexes()
        return domain
    }

    private func minimal(_ devices: String = "", _ rest: String = "") throws -> Domain {
        var domain = try Domain.parse(
            """
            <domain type='qemu'><name>g</name><uuid>8c1d8a2e-54c0-4f5a-9c1b-0e6d6f0f4b03</uuid><memory>65536</memory>
            <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features><acpi/></features>\(rest)
            <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
            <controller type='pci' index='0' model='pcie-root'/><controller type='usb' index='0' model='none'/>\(devices)
            </devices></domain>
            """)
        domain.assignAliases()
        domain.assignNodeIndexes()
        return domain
    }

    private func arguments(
        _ domain: Domain, _ change: (inout CommandEnvironment) -> Void = { _ in }
    ) throws -> [String] {
        var environment = CommandEnvironment.native(name: domain.name)
        change(&environment)
        return try QEMUCommand.build(domain, Fixture.capabilities(), environment).arguments
    }

    @Test(arguments: ["web", "old"])
    func `a guest gets C libvirt's command line`(name: String) throws {
        let domain = try prepared(name)
        let line = try QEMUCommand.build(domain, Fixture.capabilities(), .native(name: domain.name))
        let words = line.environment.filter { !$0.hasPrefix("PATH=") } + [line.binary] + line.arguments
        let text = words.joined(separator: "\n") + "\n"
        if Fixture.isUpdating { try Fixture.write(text, to: "\(name).argv") }
        #expect(try words == Fixture.text("\(name).argv").split(separator: "\n").map(String.init))
    }

    @Test(arguments: [
        ("defaultMode='secure'", "", "spice defaultMode secure requested in XML configuration, but TLS"),
        ("", "<channel name='main' mode='secure'/>", "spice secure channels set in XML configuration, but TLS"),
    ])
    func `secure channels of SPICE need a port for TLS`(attribute: String, inner: String, text: String) throws {
        func spice(_ ports: String) throws -> Domain {
            try minimal("<graphics type='spice' autoport='no' \(ports) \(attribute)>\(inner)</graphics>")
        }
        #expect(throws: VirtError(.configUnsupported, .qemu, "\(text) connection is not available")) {
            try arguments(spice("port='5900'"))
        }
        let words = try arguments(spice("port='5900' tlsPort='5901'"))
        #expect(words.contains { $0.contains("tls-port=5901") && $0.contains("tls-channel=") })
    }

    @Test func `only xHCI controllers have ports to choose`() throws {
        let xhci = try arguments(minimal("<controller type='usb' index='1' model='qemu-xhci' ports='4'/>"))
        #expect(xhci.contains { $0.contains(#""driver":"qemu-xhci","p2":4,"p3":4"#) })
        let text = "usb controller type 'piix3-uhci' doesn't support 'ports' with this QEMU binary"
        #expect(throws: VirtError(.configUnsupported, .qemu, text)) {
            try arguments(minimal("<controller type='usb' index='1' model='piix3-uhci' ports='4'/>"))
        }
    }

    @Test func `an older QEMU switches 3D on by a property`() throws {
        let domain = try minimal(
            "<video><model type='virtio' primary='yes'><acceleration accel3d='yes'/></model></video>")
        var facts = try Fixture.capabilities()
        facts.flags.insert(.virtioGpuVirgl)
        let words = try QEMUCommand.build(domain, facts, .native(name: domain.name)).arguments
        #expect(words.contains { $0.contains(#""virgl":true"#) })
        #expect(try !arguments(domain).contains { $0.contains("virgl") })
    }

    @Test func `an nvdimm's label is part of its size`() throws {
        let domain = try minimal(
            """
            <memory model='nvdimm'><source><path>/n</path></source><target><size unit='KiB'>523264</size><node>0</node>
            <label><size unit='KiB'>128</size></label></target><address type='dimm' slot='0'/></memory>
            """,
            "<maxMemory slots='4' unit='MiB'>1024</maxMemory><vcpu>1</vcpu><cpu><numa>"
                + "<cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>")
        let words = try arguments(domain)
        #expect(words.contains { $0.contains(#""mem-path":"/n""#) && $0.contains(#""size":536870912"#) })
        #expect(words.contains { $0.contains(#""driver":"nvdimm""#) && $0.contains(#""label-size":131072"#) })
    }

    @Test func `an image that a client opened is a set of descriptors`() throws {
        let domain = try minimal(
            """
            <disk type='file'><driver type='qcow2'/><source file='/a' fdgroup='one'/><backingStore type='file'>
            <format type='raw'/><source file='/b' fdgroup='two'/><backingStore/></backingStore>
            <target dev='vda' bus='virtio'/></disk>
            """)
        let words = try arguments(domain) { environment in
            environment.images = [
                1: .init(number: 4, descriptors: [30]), 2: .init(number: 5, descriptors: [31, 32]),
            ]
        }
        let sets = words.indices.filter { words[$0] == "-add-fd" }.map { words[$0 + 1] }
        #expect(
            sets == [
                "set=4,fd=30,opaque=libvirt-1-storage0", "set=5,fd=31,opaque=libvirt-2-storage0",
                "set=5,fd=32,opaque=libvirt-2-storage1",
            ])
        let nodes = words.indices.filter { words[$0] == "-blockdev" }.map { words[$0 + 1] }
        #expect(
            nodes.contains(
                #"{"driver":"file","filename":"/dev/fdset/4","node-name":"libvirt-1-storage","read-only":false,"#
                    + #""discard":"unmap"}"#))
        #expect(
            nodes.contains(
                #"{"driver":"file","filename":"/dev/fdset/5","node-name":"libvirt-2-storage","auto-read-only":true,"#
                    + #""discard":"unmap"}"#))
    }

    @Test func `a video device that another program serves has a connection to it`() throws {
        let domain = try minimal(
            """
            <video><driver name='vhostuser'/><model type='virtio' heads='1' primary='yes'/>
            <address type='pci' domain='0' bus='0' slot='1' function='0'/></video>
            """)
        let error = #expect(throws: VirtError.self) { _ = try arguments(domain) }
        #expect(error?.message == "internal error: Attempt to pass closed vhostuser FD")
        let words = try arguments(domain) { $0.vhostUserDescriptors["video0"] = 33 }
        #expect(words.contains("socket,id=chr-vu-video0,fd=33"))
        #expect(
            words.contains(
                #"{"driver":"vhost-user-vga","id":"video0","max_outputs":1,"chardev":"chr-vu-video0","#
                    + #""bus":"pcie.0","addr":"0x1"}"#))
    }

    @Test func `devices of the kernel are passed as descriptors`() throws {
        var domain = try minimal(
            """
            <hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/>
            <address type='pci' domain='0' bus='0' slot='2' function='0'/></hostdev>
            <hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='1'/>
            <product id='2'/></source></hostdev>
            <interface type='vdpa'><mac address='52:54:00:00:00:01'/><source dev='/dev/vhost-vdpa-0'/>
            <model type='virtio'/></interface>
            """)
        domain.devices.hostdevs[1].source.usbMissing = true
        let words = try arguments(domain) { environment in
            environment.vhostDescriptors["hostdev0"] = 40
            environment.vdpa["net0"] = .init(number: 6, descriptor: 41)
        }
        #expect(
            words.contains(
                #"{"driver":"vhost-scsi-pci","wwpn":"naa.5123456789abcde0","vhostfd":"40","id":"hostdev0","#
                    + #""bus":"pcie.0","addr":"0x2"}"#))
        #expect(words.contains(#"{"driver":"usb-host","id":"hostdev1"}"#))
        #expect(words.contains("set=6,fd=41,opaque=net0-vdpa"))
        #expect(words.contains(#"{"type":"vhost-vdpa","vhostdev":"/dev/fdset/6","id":"hostnet0"}"#))
    }

    @Test func `what a running guest gets is told by the monitor`() throws {
        let guest = try minimal(
            """
            <filesystem type='mount'><driver type='virtiofs'/><source dir='/a'/><target dir='t'/>
            <address type='pci' domain='0' bus='0' slot='3' function='0'/></filesystem>
            <hostdev mode='subsystem' type='pci' managed='yes'><source>
            <address domain='0' bus='10' slot='31' function='0'/></source>
            <address type='pci' domain='0' bus='0' slot='4' function='0'/></hostdev>
            """)
        var new = Devices()
        new.filesystems = guest.devices.filesystems
        new.hostdevs = guest.devices.hostdevs
        let commands = try DevicePlug.commands(
            for: new, in: guest, Fixture.capabilities(),
            CommandEnvironment(libraryDirectory: "/lib,1", channelDirectory: "/c", memoryDirectory: "/m"))
        #expect(commands.map(\.name) == ["chardev-add", "device_add", "device_add"])
        #expect(commands[0].arguments?["id"] == "chr-vu-fs0")
        let backend = commands[0].arguments?["backend"]
        #expect(backend?["data"]?["addr"]?["data"]?["path"] == "/lib,1/fs0-fs.sock")
        #expect(backend?["data"]?["server"] == false)
        #expect(commands[1].arguments?["driver"] == "vhost-user-fs-pci")
        #expect(commands[2].arguments?["host"] == "0000:0a:1f.0")
    }

    @Test func `a TPM emulator is reached at its socket`() throws {
        let domain = try minimal("<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>")
        let words = try arguments(domain) { $0.tpmSockets["tpm0"] = "/run/t.sock" }
        #expect(words.contains("socket,id=chrtpm,path=/run/t.sock"))
        #expect(words.contains("emulator,id=tpm-tpm0,chardev=chrtpm"))
    }

    @Test func `a start passes what was opened for it`() throws {
        let domain = try minimal(
            """
            <disk type='file'><driver type='qcow2'/><source file='/a'/><target dev='vda' bus='virtio'/></disk>
            <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/>
            <model type='virtio'/><driver queues='2'/></interface>
            <serial type='file'><source path='/log'/></serial>
            <channel type='unix'><source mode='bind' path='/c'/><target type='virtio' name='agent'/></channel>
            """)
        let words = try arguments(domain) { environment in
            environment.monitor = .descriptor(20)
            environment.endsBackingChains = true
            environment.interfaces["net0"] = .init(tap: [21, 22], vhost: [23, 24])
            environment.characters["serial0"] = .init(file: (set: 3, descriptor: 25))
            environment.characters["channel0"] = .init(socket: 26)
        }
        #expect(words.contains("socket,id=charmonitor,fd=20,server=on,wait=off"))
        #expect(words.contains(#"{"type":"tap","fds":"21:22","vhost":true,"vhostfds":"23:24","id":"hostnet0"}"#))
        #expect(words.contains { $0.contains(#""driver":"virtio-net-pci","mq":true"#) })
        #expect(words.contains("set=3,fd=25"))
        #expect(words.contains("file,id=charserial0,path=/dev/fdset/3,append=on"))
        #expect(words.contains("socket,id=charchannel0,fd=26,server=on,wait=off"))
        #expect(words.contains { $0.contains(#""file":"libvirt-1-storage","backing":null"#) })
    }

    @Test func `a guest's own arguments and overrides are taken over`() throws {
        var domain = try minimal("<vsock><cid address='3'/></vsock>")
        var argument = QEMUNamespace.Argument()
        argument.value = "-foo"
        domain.qemu.arguments = [argument]
        var override = QEMUNamespace.DeviceOverride()
        override.alias = "vsock0"
        var property = QEMUNamespace.Property()
        property.name = "guest-cid"
        property.type = .unsigned
        property.value = "9"
        override.properties = [property]
        domain.qemu.overrides = [override]
        let words = try arguments(domain)
        #expect(words.contains("-foo"))
        #expect(words.contains { $0.contains(#""guest-cid":9"#) })
    }

    @Test func `clocks that are an offset start at the host's time`() throws {
        let domain = try minimal("", "<clock offset='variable' adjustment='3600' basis='utc'/>")
        let words = try arguments(domain) { $0.now = 951_782_400 }
        // 29 February 2000, 00:00.
        #expect(words.contains("base=2000-02-29T01:00:00"))
    }

    @Test func `what QEMU can't do is an error`() throws {
        let wrong = try minimal("<sound model='ich7'/>")
        #expect(throws: VirtError.self) { try arguments(wrong) }
        let lost = try minimal(
            "<rng model='virtio'><backend model='random'/><address type='pci' bus='9' slot='1'/></rng>")
        #expect(throws: VirtError.self) { try arguments(lost) }
    }

    @Test func `the shell text quotes what needs it`() {
        let line = QEMUCommandLine(
            environment: ["HOME=/a b"], binary: "/qemu", arguments: ["-device", #"{"id":"x"}"#, "it's", "plain=1,2"])
        #expect(line.text == #"HOME='/a b' /qemu -device '{"id":"x"}' 'it'\''s' plain=1,2"#)
    }
}
