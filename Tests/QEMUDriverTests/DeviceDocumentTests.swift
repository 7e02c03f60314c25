import QEMUCommand
import Testing
import VirtCore
import VirtModel

@testable import QEMUDriver

@Suite("Documents of devices")
struct DeviceDocumentTests {
    private func disk(_ name: String, bus: String = "virtio", file: String = "/x") -> String {
        "<disk type='file' device='disk'><source file='\(file)'/><target dev='\(name)' bus='\(bus)'/></disk>"
    }

    @Test("A device is found in the list of its kind")
    func kinds() throws {
        let document = try DeviceDocument(parsing: disk("vdb"))
        #expect(document.kind == "disk")
        #expect(document.devices.disks.first?.target.dev == "vdb")
        let channel = try DeviceDocument(
            parsing: "<channel type='unix'><target type='virtio' name='org.b.0'/></channel>")
        #expect(channel.devices.channels.first?.name == "org.b.0")
    }

    @Test(
        "The new device's alias is found among those that others get with it", arguments: ["vdb", "vdc", "vdd", "vde"])
    func newAlias(name: String) throws {
        var before = Domain()
        before.devices = try DeviceDocument(parsing: disk("vda")).devices
        before.assignAliases()
        // C libvirt gives these none.
        before.devices.panics = [Panic(), Panic()]
        before.devices.hubs = [Hub()]
        var after = before
        try after.devices.append(DeviceDocument(parsing: disk(name)).devices)
        after.assignAliases()
        #expect(after.newAlias(since: before) == after.devices.disks.first { $0.target.dev == name }?.info.alias)
    }

    @Test("What is no device is refused")
    func unknown() {
        #expect(throws: VirtError(.xmlError, .domain, "unknown device type 'domain'")) {
            try DeviceDocument(parsing: "<domain/>")
        }
        #expect(throws: VirtError.self) { try DeviceDocument(parsing: "<disk>") }
    }

    @Test("A disk goes behind those of its bus that come before it")
    func order() throws {
        var devices = Devices()
        for (name, bus) in [("vda", "virtio"), ("hdc", "ide"), ("vdc", "virtio"), ("vdb", "virtio"), ("hda", "ide")] {
            try devices.append(DeviceDocument(parsing: disk(name, bus: bus)).devices)
        }
        #expect(devices.disks.map { $0.target.dev ?? "" } == ["vda", "vdb", "vdc", "hda", "hdc"])
    }

    @Test("Two disks of one name are refused with both their images")
    func duplicates() throws {
        var devices = Devices()
        try devices.append(DeviceDocument(parsing: disk("vdb", file: "/a")).devices)
        try devices.append(DeviceDocument(parsing: disk("vdb", file: "/b")).devices)
        #expect(
            throws: VirtError(.xmlError, .domain, "target 'vdb' duplicated for disk sources '/a' and '/b'")
        ) { try devices.checkTargets() }
    }

    @Test("Devices are taken out by what a document says of them")
    func removal() throws {
        let rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        let nic = "<interface type='user'><mac address='52:54:00:00:00:0A'/><model type='virtio'/></interface>"
        var devices = Devices()
        for text in [disk("vda"), rng, nic] { try devices.append(DeviceDocument(parsing: text).devices) }
        devices.rngs[0].info.alias = "rng0"
        for text in [rng, nic, disk("vda", file: "/other")] {
            let document = try DeviceDocument(parsing: text)
            try devices.remove(document.devices, kind: document.kind, isLive: false)
        }
        #expect(devices == Devices())
    }

    @Test(
        "A device that is not there gets libvirt's error",
        arguments: [
            ("<disk type='file'><target dev='vdq'/></disk>", "no target device vdq"),
            (
                "<interface type='user'><mac address='52:54:00:00:00:0b'/></interface>",
                "no device found at address '(<null>)' matching MAC address '52:54:00:00:00:0b' and alias '(<null>)'"
            ),
            ("<rng model='virtio'><backend model='random'/></rng>", "no matching RNG device was found"),
            ("<redirdev bus='usb' type='spicevmc'/>", "no matching redirdev was not found"),
            ("<sound model='ac97'/>", "device not present in domain configuration"),
            ("<controller type='scsi' index='3'/>", "device not present in domain configuration"),
            ("<filesystem><source dir='/a'/><target dir='b'/></filesystem>", "no matching filesystem device was found"),
            ("<shmem name='m'/>", "matching shmem device was not found"),
            ("<watchdog model='i6300esb'/>", "domain has no watchdog"),
        ])
    func missing(text: String, message: String) throws {
        let document = try DeviceDocument(parsing: text)
        var devices = Devices()
        let error = #expect(throws: VirtError.self) {
            try devices.remove(document.devices, kind: document.kind, isLive: false)
        }
        #expect(error?.code == .deviceMissing)
        #expect(error?.message == "device not found: \(message)")
    }

    @Test(
        "Other errors of taking a device out of a definition",
        arguments: [
            (
                "<channel type='pty'><target type='virtio' name='x'/></channel>", VirtError.Code.invalidArg,
                "invalid argument: device not present in domain configuration"
            ),
            ("<console type='pty'/>", .invalidArg, "invalid argument: device not present in domain configuration"),
            ("<vsock/>", .operationFailed, "operation failed: matching vsock device not found"),
            (
                "<video><model type='vga'/></video>", .operationUnsupported,
                "Operation not supported: persistent detach of device 'video' is not supported"
            ),
            (
                "<memballoon model='none'/>", .operationUnsupported,
                "Operation not supported: persistent detach of device 'memballoon' is not supported"
            ),
        ])
    func otherErrors(text: String, code: VirtError.Code, message: String) throws {
        let document = try DeviceDocument(parsing: text)
        var devices = Devices()
        let error = #expect(throws: VirtError.self) {
            try devices.remove(document.devices, kind: document.kind, isLive: false)
        }
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    private static let invalid = "Requested operation is not valid: "

    @Test(
        "What a definition has already is not put in again",
        arguments: [
            ("<disk type='file'><source file='/b'/><target dev='vda'/></disk>", invalid + "target vda already exists"),
            (
                "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>",
                invalid + "device is already in the domain configuration"
            ),
            ("<shmem name='m'/>", invalid + "device is already in the domain configuration"),
            ("<controller type='scsi' index='3'/>", invalid + "controller index='3' already exists"),
            (
                "<filesystem><source dir='/c'/><target dir='b'/></filesystem>", invalid + "Target already exists"
            ),
            ("<channel type='unix'><target type='virtio' name='x'/></channel>", invalid + "chardev already exists"),
            ("<watchdog model='i6300esb'/>", invalid + "domain already has a watchdog"),
            (
                "<graphics type='vnc'/>",
                "Operation not supported: persistent attach of device 'graphics' is not supported"
            ),
        ])
    func present(text: String, message: String) throws {
        var devices = Devices()
        for old in [
            disk("vda"), "<shmem name='m'/>", "<controller type='scsi' index='3'/>", "<watchdog model='ib700'/>",
            "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>",
            "<filesystem><source dir='/a'/><target dir='b'/></filesystem>",
            "<channel type='pty'><target type='virtio' name='x'/></channel>",
        ] {
            try devices.append(DeviceDocument(parsing: old).devices)
        }
        let error = #expect(throws: VirtError.self) { try devices.checkNew(DeviceDocument(parsing: text)) }
        #expect(error?.message == message)
        #expect(throws: Never.self) { try devices.checkNew(DeviceDocument(parsing: disk("vdb"))) }
    }

    @Test("What is new is told from what was there, without controllers")
    func added() throws {
        var before = Devices()
        try before.append(DeviceDocument(parsing: disk("vda")).devices)
        var after = before
        for text in [disk("vdb"), "<controller type='scsi' index='3'/>", "<sound model='ac97'/>"] {
            try after.append(DeviceDocument(parsing: text).devices)
        }
        let new = after.added(to: before)
        #expect(new.disks.map { $0.target.dev ?? "" } == ["vdb"])
        #expect(new.sounds.count == 1)
        #expect(new.controllers.isEmpty)
        #expect(before.added(to: before) == Devices())
    }

    @Test("All devices of an alias are taken, and no other")
    func aliases() throws {
        var devices = Devices()
        for name in ["vda", "vdb"] { try devices.append(DeviceDocument(parsing: disk(name)).devices) }
        devices.disks[0].info.alias = "virtio-disk0"
        devices.disks[1].info.alias = "virtio-disk1"
        let taken = devices.take(alias: "virtio-disk1")
        #expect(taken.disks.map { $0.target.dev ?? "" } == ["vdb"])
        #expect(devices.disks.map { $0.target.dev ?? "" } == ["vda"])
        #expect(devices.take(alias: "nosuch") == Devices())
    }
}
