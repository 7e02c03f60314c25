import QEMUCommand
import VirtCore
import VirtModel
import VirtXML

/// The document of one device, as the calls that attach, detach and update devices take it.
struct DeviceDocument: Sendable {
    /// The element's name: "disk", "interface", ...
    let kind: String
    /// The device, in the list of its kind.
    var devices: Devices

    private static let kinds: Set<String> = [
        "disk", "controller", "lease", "filesystem", "interface", "smartcard", "serial", "parallel", "console",
        "channel", "input", "tpm", "graphics", "sound", "video", "hostdev", "redirdev", "hub", "watchdog",
        "memballoon", "rng", "nvram", "panic", "shmem", "memory", "crypto", "iommu", "vsock",
    ]

    init(parsing text: String) throws {
        let document = try XMLDocument.parse(text, name: "device_definition", domain: .domain)
        guard let root = document.root, Self.kinds.contains(root.name) else {
            throw VirtError(.xmlError, .domain, "unknown device type '\(document.root?.name ?? "")'")
        }
        kind = root.name
        let list = try XMLDocument.parse(
            "<devices>\(root.dump(level: 0))</devices>", name: "device_definition", domain: .domain)
        guard let element = list.root else { throw VirtError(.internalError, .domain, "no device") }
        devices = try ElementReader.read(element, flags: .inactive)
    }
}

extension Devices {
    /// Puts the devices of another list behind these.
    mutating func append(_ other: Devices) throws(VirtError) {
        for disk in other.disks { insert(disk) }
        controllers += other.controllers
        leases += other.leases
        filesystems += other.filesystems
        interfaces += other.interfaces
        smartcards += other.smartcards
        serials += other.serials
        parallels += other.parallels
        consoles += other.consoles
        channels += other.channels
        inputs += other.inputs
        tpms += other.tpms
        sounds += other.sounds
        videos += other.videos
        hostdevs += other.hostdevs
        redirectedDevices += other.redirectedDevices
        hubs += other.hubs
        watchdogs += other.watchdogs
        rngs += other.rngs
        panics += other.panics
        sharedMemories += other.sharedMemories
        memories += other.memories
        cryptos += other.cryptos
        try single(\.memballoon, other, "memory balloon")
        try single(\.vsock, other, "vsock")
        try single(\.iommu, other, "iommu")
        try single(\.nvram, other, "nvram")
        guard other.graphics.isEmpty else {
            throw VirtError(.operationUnsupported, .qemu, "persistent attach of device 'graphics' is not supported")
        }
    }

    /// A disk stands among those of its bus in the order of their names.
    mutating func insert(_ disk: Disk) {
        let number = disk.target.dev.flatMap { Disk.number(of: $0) } ?? .max
        let others = disks.indices.filter { disks[$0].target.bus == disk.target.bus }
        let behind = others.first { index in
            (disks[index].target.dev.flatMap { Disk.number(of: $0) } ?? .max) > number
        }
        disks.insert(disk, at: behind ?? others.last.map { $0 + 1 } ?? disks.count)
    }

    private mutating func single<Device>(
        _ path: WritableKeyPath<Devices, Device?>, _ other: Devices, _ name: String
    ) throws(VirtError) {
        guard let device = other[keyPath: path] else { return }
        guard self[keyPath: path] == nil else {
            throw VirtError(.operationInvalid, .qemu, "domain already has a \(name) device")
        }
        self[keyPath: path] = device
    }

    /// Two disks may not have one name, nor two interfaces one place.
    func checkTargets() throws(VirtError) {
        var seen: [String: Disk] = [:]
        for disk in disks {
            guard let name = disk.target.dev else { continue }
            if let other = seen[name] {
                throw VirtError(
                    .xmlError, .domain,
                    "target '\(name)' duplicated for disk sources '\(other.source.path ?? "")' and "
                        + "'\(disk.source.path ?? "")'")
            }
            seen[name] = disk
        }
    }
}
