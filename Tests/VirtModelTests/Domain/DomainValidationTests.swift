import Testing
import VirtCore
import VirtModel
import VirtXML

@Suite("Refusing domains")
struct DomainValidationTests {
    @Test(
        "what a document must have is asked for by name",
        arguments: [
            ("<domain type='qemu'/>", VirtError.Code.noName, "missing name information"),
            ("<domain><name>a</name></domain>", .internalError, "internal error: missing domain type attribute"),
            (
                "<domain type='foo'><name>a</name></domain>", .configUnsupported,
                "unsupported configuration: invalid domain type foo"
            ),
            ("<domain type='qemu'><name>a/b</name></domain>", .xmlError, "XML error: name a/b cannot contain '/'"),
            ("<domain type='qemu'><name>a</name></domain>", .xmlError, "XML error: an os <type> must be specified"),
            (
                "<domain type='qemu'><name>a</name><os><type>hvm</type></os></domain>", .xmlError,
                "XML error: Memory size must be specified via <memory> or in the <numa> configuration"
            ),
            ("<network/>", .xmlError, "XML error: expecting root element of 'domain', not 'network'"),
        ])
    func missing(text: String, code: VirtError.Code, message: String) {
        let error = DomainFixture.refusal(text)
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    @Test(
        "devices that do not go together are refused",
        arguments: [
            (
                "<disk type='file'><source file='/a'/><target dev='vda'/></disk><disk type='file'><source "
                    + "file='/b'/><target dev='vda'/></disk>",
                VirtError.Code.xmlError, "XML error: target 'vda' duplicated for disk sources '/a' and '/b'"
            ),
            ("<disk type='file'><source file='/a'/></disk>", .noTarget, "missing target information for device /a"),
            (
                "<disk type='file'><source file='/a'/><target dev='vda1'/></disk>", .configUnsupported,
                "unsupported configuration: invalid disk target 'vda1', partitions can't appear in disk targets"
            ),
            (
                "<channel type='spicevmc'><target type='virtio' name='a'/></channel>", .configUnsupported,
                "unsupported configuration: chardev 'spicevmc' not supported without spice graphics"
            ),
            ("<serial type='unix'/>", .internalError, "internal error: Missing source path attribute for char device"),
            (
                "<controller type='pci' index='0' model='pci-root'/>", .xmlError,
                "XML error: The PCI controller with index='0' must be model='pcie-root' for this machine type, "
                    + "but model='pci-root' was found instead"
            ),
            (
                "<controller type='usb' index='0' model='qemu-xhci' ports='16'/>", .configUnsupported,
                "unsupported configuration: 'qemu-xhci' controller only supports up to '15' ports"
            ),
            (
                "<input type='tablet' bus='usb'><address type='usb' bus='1' port='1'/></input>", .xmlError,
                "XML error: Missing USB bus 1"
            ),
            (
                "<rng model='virtio'><backend model='random'/><address type='pci' bus='0x100'/></rng>", .xmlError,
                "XML error: Invalid PCI address bus='0x100', must be <= 0xFF"
            ),
            (
                "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>", .xmlError,
                "XML error: expected unicast mac address, found multicast '01:00:00:00:00:00'"
            ),
            (
                "<rng model='virtio'><alias name='ua-x'/><backend model='random'/></rng><rng "
                    + "model='virtio'><alias name='ua-x'/><backend model='random'/></rng>",
                .xmlError, "XML error: non unique alias detected: ua-x"
            ),
        ])
    func devices(text: String, code: VirtError.Code, message: String) {
        let error = DomainFixture.refusal(DomainFixture.document(text))
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    /// Wrong devices, each before those that C libvirt 9.0.0 looks at later.
    static let wrong: [(xml: String, message: String)] = [
        (
            "<interface type='ethernet'><ip address='1.2.3.4' prefix='24'/></interface>",
            "Invalid attempt to set network interface guest-side IP route and/or address info, not supported by QEMU"
        ),
        (
            "<video><model type='cirrus'><acceleration accel3d='yes'/></model></video>",
            "3d acceleration is supported only with 'virtio' video device"
        ),
        (
            "<controller type='scsi' model='lsilogic'><driver queues='4'/></controller>",
            "'queues' is only supported by virtio-scsi controller"
        ),
        ("<input type='mouse' bus='xen'/>", "unsupported input bus xen"),
        ("<filesystem type='block'><source dev='/d'/><target dir='t'/></filesystem>", "only supports mount"),
        ("<vsock><cid auto='no' address='2'/></vsock>", "guest CIDs must be >= 3"),
        ("<audio id='1' type='none'/><audio id='1' type='none'/>", "audio ID 1 is used multiple times"),
    ]

    @Test("of two wrong devices, libvirt's first is told", arguments: 1..<wrong.count)
    func order(later: Int) {
        for earlier in 0..<later {
            let error = DomainFixture.refusal(DomainFixture.document(Self.wrong[later].xml + Self.wrong[earlier].xml))
            #expect(error?.message.contains(Self.wrong[earlier].message) == true, "\(error?.message ?? "")")
        }
    }

    @Test("machines and types that no emulator has are refused")
    func emulators() {
        #expect(
            DomainFixture.refusal(DomainFixture.document(machine: "nosuch", ""))?.message
                == "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support machine "
                + "type 'nosuch'"
        )
        #expect(
            DomainFixture.refusal(DomainFixture.document("").replacing("type='qemu'", with: "type='kvm'"))?.message
                == "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support virt type 'kvm'")
        #expect(
            DomainFixture.refusal(DomainFixture.document(machine: "m", arch: "sparc", ""))?.message
                == "unsupported configuration: No emulator found for arch 'sparc'")
    }

    @Test("damaged documents are refused or accepted, and never more than that")
    func damage() {
        let whole = Array(DomainFormatTests.whole.utf8)
        for cut in stride(from: 0, to: whole.count, by: max(1, whole.count / 60)) {
            let text = String(decoding: whole[..<cut], as: UTF8.self)
            #expect(DomainFixture.refusal(text) != nil)
        }
        let text = DomainFormatTests.whole
        for value in ["", "-1", "99999999999999999999", "0x", "\u{7F}", "yes", "0"] {
            for attribute in text.split(separator: "'", omittingEmptySubsequences: false).indices
            where attribute % 2 == 1 {
                var parts = text.split(separator: "'", omittingEmptySubsequences: false)
                parts[attribute] = Substring(value)
                _ = DomainFixture.refusal(parts.joined(separator: "'"))
            }
        }
    }

    @Test(
        "huge numbers of controllers and buses do not grow anything",
        arguments: [
            "<disk type='file'><source file='/a'/><target dev='sda' bus='scsi'/><address type='drive' "
                + "controller='4294967295' bus='0' unit='0'/></disk>",
            "<controller type='pci' index='2147483647' model='pcie-root-port'/>",
            "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/><address bus='0' "
                + "target='0' unit='0'/></source><address type='drive' controller='4000000000' bus='0' target='0' unit='0'/></hostdev>",
            "<channel type='pty'><target type='virtio' name='a'/><address type='virtio-serial' controller='0' "
                + "port='4294967295'/></channel>",
        ])
    func huge(devices: String) {
        #expect(DomainFixture.refusal(DomainFixture.document(devices)) != nil)
    }
}
