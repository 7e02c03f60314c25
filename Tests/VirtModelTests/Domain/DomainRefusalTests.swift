import Testing
import VirtCore
import VirtModel
import VirtXML

/// Documents with one thing wrong: the code and the text are libvirt's.
@Suite("Refusing what one value says")
struct DomainRefusalTests {
    private static let unsupported = "unsupported configuration: "
    private static let disk = "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/>"

    @Test(
        "of a device",
        arguments: [
            ("<input/>", VirtError.Code.internalError, "internal error: missing input device type"),
            ("<input type='pen'/>", .configUnsupported, unsupported + "unknown input device type 'pen'"),
            ("<input type='mouse' bus='pci'/>", .configUnsupported, unsupported + "unknown input bus type 'pci'"),
            (
                "<input type='mouse' bus='usb' model='virtio'/>", .configUnsupported,
                unsupported + "only bus 'virtio' is supported for input model 'virtio'"
            ),
            (
                "<input type='evdev' bus='usb'><source dev='/dev/x'/></input>", .configUnsupported,
                unsupported + "input evdev doesn't support bus element"
            ),
            ("<controller type='usb' model='x'/>", .configUnsupported, unsupported + "Unknown model type 'x'"),
            (
                "<controller type='usb' model='pcie-root'/>", .configUnsupported,
                unsupported + "Unknown model type 'pcie-root'"
            ),
            (
                "<controller type='pci' index='0' model='pcie-root'><address type='pci' slot='3'/></controller>",
                .configUnsupported, unsupported + "pci-root and pcie-root controllers should not have an address"
            ),
            (
                "<controller type='scsi' index='-1'/>", .xmlError,
                "XML error: Invalid value for attribute 'index' in element 'controller': '-1'. Expected non-negative "
                    + "value"
            ),
            (
                "<controller type='scsi' index='9999999999'/>", .xmlError,
                "XML error: Invalid value for attribute 'index' in element 'controller': '9999999999'. Expected "
                    + "integer value"
            ),
            (
                "<controller index='0'/>", .configUnsupported,
                unsupported + "IDE controllers are unsupported for this QEMU binary or machine type"
            ),
            ("<rng model='virtio'><backend/></rng>", .xmlError, "XML error: missing RNG device backend model"),
            (
                "<rng model='virtio'><backend model='dice'/></rng>", .configUnsupported,
                unsupported + "unknown RNG backend model 'dice'"
            ),
            (
                "<video><model type='crt'/></video>", .configUnsupported, unsupported + "unknown video model 'crt'"
            ),
            (
                "<video><model type='vga' heads='-1'/></video>", .internalError,
                "internal error: cannot parse video heads '-1'"
            ),
            (
                "<serial type='modem'/>", .configUnsupported,
                unsupported + "unknown type presented to host for character device: modem"
            ),
            (
                "<sound model='ac97'><address type='x'/></sound>", .configUnsupported,
                unsupported + "unknown address type 'x'"
            ),
            (
                "<sound model='ac97'><address slot='3'/></sound>", .internalError,
                "internal error: No type specified for device address"
            ),
            (
                "<sound model='ac97'><address type='ccw' cssid='0xfe' ssid='0' devno='1'/></sound>",
                .configUnsupported,
                unsupported + "cannot use CCW address type for device '<null>' using machine type 'pc-q35-7.2'"
            ),
            (
                "<memballoon model='virtio'/><memballoon model='none'/>", .internalError,
                "internal error: only a single memory balloon device is supported"
            ),
            (
                "<hostdev mode='x' type='usb'/>", .configUnsupported, unsupported + "unknown hostdev mode 'x'"
            ),
            (
                "<hostdev mode='subsystem' type='usb'/>", .xmlError,
                "XML error: Missing <source> element in hostdev device"
            ),
            (
                "<hostdev mode='subsystem' type='pci'><source><address bus='1' slot='0'/></source>"
                    + "<address type='usb' bus='0' port='1'/></hostdev>", .internalError,
                "internal error: PCI host devices must use 'pci' or 'unassigned' address type"
            ),
            (
                "<shmem name='m'><model type='ivshmem-plain'/></shmem>", .configUnsupported,
                unsupported + "shmem model 'ivshmem-plain' is not supported by this QEMU binary"
            ),
            ("<interface type='hostdev'/>", .xmlError, "XML error: missing source address type"),
            (
                "<interface type='mcast'/>", .xmlError,
                "XML error: interface type='mcast' requires a 'source' element"
            ),
            (
                "<interface type='user'><driver ats='on'/></interface>", .configUnsupported,
                unsupported + "ats driver option is only supported for virtio devices"
            ),
        ])
    func devices(text: String, code: VirtError.Code, message: String) {
        let error = DomainFixture.refusal(DomainFixture.document(text))
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    @Test(
        "of a disk",
        arguments: [
            (
                "<disk type='file'><source file='/a'/><target dev='sda' bus='scsi' removable='on'/></disk>",
                VirtError.Code.xmlError, "XML error: removable is only valid for usb disks"
            ),
            (
                "<disk type='file'><source file='/a'/><target dev='fda' bus='fdc'/></disk>", .internalError,
                "internal error: Invalid bus type 'fdc' for disk"
            ),
            (
                disk.replacing("<disk", with: "<disk rawio='yes'") + "</disk>", .configUnsupported,
                unsupported + "rawio can be used only with device='lun'"
            ),
            (
                "<disk type='file'><source file='/a'/><target dev='sda' bus='sata'/>"
                    + "<address type='drive' controller='0' bus='1' target='0' unit='0'/></disk>", .configUnsupported,
                unsupported + "bus must be 0 for sata controller"
            ),
            (
                "<controller type='scsi' index='0' model='lsilogic'/><disk type='file'><source file='/a'/>"
                    + "<target dev='sda' bus='scsi'/><address type='drive' target='3'/></disk>", .configUnsupported,
                unsupported + "target must be 0 for controller model 'lsilogic'"
            ),
            (
                "<disk type='file'><source file='/a'><encryption format='luks2'/></source>"
                    + "<target dev='sda' bus='sata'/></disk>", .configUnsupported,
                unsupported + "luks2 is currently not supported by the qemu encryption engine"
            ),
            (
                disk + "<driver name='tap'/></disk>", .configUnsupported,
                unsupported + "unsupported driver name 'tap' for disk 'vda'"
            ),
            (
                disk + "<driver type='raw'><metadata_cache><max_size>1</max_size></metadata_cache></driver></disk>",
                .configUnsupported, unsupported + "metadata cache max size control is supported only with qcow2 images"
            ),
            (
                "<disk type='file'><driver packed='on'/><source file='/a'/><target dev='sda' bus='sata'/></disk>",
                .configUnsupported, unsupported + "packed driver option is only supported for virtio devices"
            ),
        ])
    func disks(text: String, code: VirtError.Code, message: String) {
        let error = DomainFixture.refusal(DomainFixture.document(text))
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    @Test(
        "of the guest",
        arguments: [
            (
                "<on_crash>explode</on_crash>", VirtError.Code.configUnsupported,
                unsupported + "unknown on_crash action: explode"
            ),
            ("<clock offset='moon'/>", .configUnsupported, unsupported + "unknown clock offset 'moon'"),
            (
                "<clock offset='timezone'/>", .internalError,
                "internal error: missing 'timezone' attribute for clock with offset='timezone'"
            ),
            (
                "<vcpu current='3'>2</vcpu>", .configUnsupported,
                unsupported + "maximum vCPU count must not be less than current vCPU count"
            ),
            ("<vcpu>many</vcpu>", .xmlError, "XML error: maximum vcpus count must be an integer"),
            ("<vcpu/>", .xmlError, "XML error: maximum vcpus count must be an integer"),
            ("<vcpu cpuset='x'>1</vcpu>", .invalidArg, "invalid argument: Failed to parse bitmap 'x'"),
            (
                "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='1'/></cputune>", .internalError,
                "internal error: duplicate vcpupin for vcpu '0'"
            ),
            (
                "<cputune><vcpusched vcpus='0' scheduler='rr'/></cputune>", .xmlError,
                "XML error: Missing required attribute 'priority' in element 'vcpusched'"
            ),
            (
                "<perf><event name='luck' enabled='yes'/></perf>", .xmlError,
                "XML error: Invalid value for attribute 'name' in element 'event': 'luck'."
            ),
            (
                "<keywrap><cipher name='aes' state='on'/><cipher name='aes' state='off'/></keywrap>", .internalError,
                "internal error: A domain definition can have no more than one cipher node with name aes"
            ),
            ("<cpu><numa/></cpu>", .xmlError, "XML error: NUMA topology defined without NUMA cells"),
            (
                "<cpu><numa><cell id='0' cpus='0' memory='1'/><cell id='0' cpus='1' memory='1'/></numa></cpu>",
                .xmlError, "XML error: Duplicate NUMA cell info for cell id '0'"
            ),
            (
                "<cpu match='exact'><model>qemu64</model><feature policy='require'/></cpu>", .xmlError,
                "XML error: Invalid CPU feature name"
            ),
            (
                "<cpu match='exact'><model>qemu64</model><feature name='lm' policy='maybe'/></cpu>",
                .configUnsupported, unsupported + "Invalid CPU feature policy"
            ),
            (
                "<cpu match='exact'><model>qemu64</model><feature name='lm'/><feature name='lm'/></cpu>", .xmlError,
                "XML error: CPU feature 'lm' specified more than once"
            ),
        ])
    func guest(text: String, code: VirtError.Code, message: String) {
        let error = DomainFixture.refusal(DomainFixture.document("", text))
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    @Test(
        "of the processor",
        arguments: [
            (
                "<cpu mode='mine'/>", VirtError.Code.configUnsupported, unsupported + "Invalid mode attribute 'mine'"
            ),
            (
                "<cpu match='exact'><model fallback='x'>qemu64</model></cpu>", .configUnsupported,
                unsupported + "Invalid fallback attribute"
            ),
            (
                "<cpu migratable='on'><model>qemu64</model></cpu>", .configUnsupported,
                unsupported + "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode"
            ),
            (
                "<cpu mode='host-passthrough' migratable='on'/>", .configUnsupported,
                unsupported + "Migratable attribute for host-passthrough CPU is not supported by this QEMU binary"
            ),
            (
                "<cpu><vendor>AMD</vendor></cpu>", .xmlError, "XML error: CPU vendor specified without CPU model"
            ),
            (
                "<cpu match='exact'><feature name='lm'/></cpu>", .xmlError,
                "XML error: Non-empty feature list specified without CPU model"
            ),
            (
                "<cpu><topology sockets='0' cores='1' threads='1'/></cpu>", .xmlError,
                "XML error: Invalid value for attribute 'sockets' in element 'topology': Zero is not permitted"
            ),
            (
                "<cpu match='exact'><model>qemu64</model><cache level='4' mode='emulate'/></cpu>", .xmlError,
                "XML error: invalid CPU cache level, must be in range [1,3]"
            ),
            (
                "<cpu mode='maximum'><maxphysaddr mode='emulate'/></cpu>", .configUnsupported,
                unsupported + "if using CPU maximum physical address mode='emulate', bits= must be specified too"
            ),
            (
                "<cpu mode='maximum'><maxphysaddr mode='passthrough' bits='40'/></cpu>", .configUnsupported,
                unsupported
                    + "CPU maximum physical address bits number specification cannot be used with mode='passthrough'"
            ),
            (
                "<cpu><numa><cell id='0' cpus='0'/></numa></cpu>", .xmlError,
                "XML error: missing element or attribute './@memory'"
            ),
            (
                "<cpu><numa><cell id='0' cpus='0' memory='much'/></numa></cpu>", .xmlError,
                "XML error: Invalid value 'much' for element or attribute './@memory'"
            ),
            (
                "<cpu><numa><cell id='0' cpus='0' memory='9'><distances><sibling id='0' value='11'/></distances></cell>"
                    + "</numa></cpu>", .xmlError,
                "XML error: 'value 11' is invalid for 'sibling id 0' under NUMA 'cell id 0'"
            ),
        ])
    func processor(text: String, code: VirtError.Code, message: String) {
        let error = DomainFixture.refusal(DomainFixture.document("", text))
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    @Test(
        "A processor without a model's name is the machine's own",
        arguments: [
            "<cpu/>", "<cpu match='exact'/>", "<cpu mode='custom' match='exact'/>", "<cpu><model/></cpu>",
            "<cpu match='exact'><arch>i686</arch><model fallback='allow'/></cpu>",
        ])
    func nameless(text: String) throws {
        let cpu = try #require(try DomainFixture.complete("", text).cpu)
        #expect(cpu.model?.name == "qemu64")
        #expect(cpu.model?.fallback == .forbid)
        #expect(cpu.match == .exact)
        #expect(cpu.arch == nil)
    }

    @Test("of the kind of guest")
    func kind() {
        let other = DomainFixture.document("").replacing(">hvm<", with: ">vm<")
        #expect(DomainFixture.refusal(other)?.message == "unsupported configuration: unknown OS type 'vm'")
        #expect(
            DomainFixture.refusal(DomainFixture.document(arch: "z80", ""))?.message
                == "unsupported configuration: Unknown architecture z80")
    }

    @Test("What belongs to another kind of thing is left out")
    func leftOut() throws {
        let domain = try DomainFixture.complete(
            "<memballoon model='none'><address type='pci' slot='9'/></memballoon>"
                + "<controller type='usb' model='none'><address type='pci' slot='8'/></controller>"
                + "<controller type='scsi' index='0' model='virtio-scsi' ports='3' vectors='4'/>"
                + "<hostdev mode='subsystem' type='scsi' display='on'><source><adapter name='scsi_host0'/>"
                + "<address bus='0' target='0' unit='0'/></source></hostdev>"
                + "<interface type='user'><rom/></interface>",
            "<clock offset='utc' timezone='Europe/Paris' start='5'><timer name='rtc' tickpolicy='catchup'><catchup/>"
                + "</timer></clock><cpu match='exact'><model fallback=''>qemu64</model></cpu>")
        #expect(domain.devices.memballoon?.info.address == nil)
        #expect(domain.devices.controllers.first { $0.type == .usb }?.info.address == nil)
        let scsi = domain.devices.controllers.first { $0.type == .scsi }
        #expect(scsi?.ports == nil)
        #expect(scsi?.vectors == nil)
        #expect(domain.devices.hostdevs.first?.display == nil)
        #expect(domain.devices.interfaces.first?.info.rom == nil)
        #expect(domain.clock.timezone == nil)
        #expect(domain.clock.start == nil)
        #expect(domain.clock.timers.first?.catchup == nil)
        #expect(domain.cpu?.model?.name == "qemu64")
    }

    @Test("Memory for a guest with nodes says where it goes")
    func memoryNode() {
        let numa =
            "<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
            + "<cpu><numa><cell id='0' cpus='0' memory='512' unit='MiB'/></numa></cpu>"
        let memory = "<memory model='dimm'><target><size unit='MiB'>128</size></target></memory>"
        #expect(
            DomainFixture.refusal(DomainFixture.document(memory, numa))?.message
                == "unsupported configuration: target NUMA node needs to be specified for memory device")
    }
}
