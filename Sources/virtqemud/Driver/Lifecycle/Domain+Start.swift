import Glibc
import QEMUCommand
import VirtCore
import VirtModel
import VirtXML

/// What a start puts into the live definition.
extension Domain {
    /// A file that a character device writes: its own, or its log.
    struct CharacterFile: Sendable, Equatable {
        let alias: String
        let path: String
        let appends: Bool
        let isLog: Bool
    }

    /// All character devices that have an alias, with their sources.
    private var characterSources: [(alias: String, source: CharacterSource)] {
        let serials = devices.serials.map { ($0.info.alias, $0.source) }
        let parallels = devices.parallels.map { ($0.info.alias, $0.source) }
        let channels = devices.channels.map { ($0.info.alias, $0.source) }
        let consoles = devices.consoles.filter { $0.target != .serial }.map { ($0.info.alias, $0.source) }
        return (serials + parallels + channels + consoles).compactMap { alias, source in
            alias.map { ($0, source) }
        }
    }

    /// The files that virtlogd writes for the guest's character devices.
    var characterFiles: [CharacterFile] {
        characterSources.flatMap { alias, source -> [CharacterFile] in
            var files: [CharacterFile] = []
            if source.type == .file, let path = source.path {
                files.append(CharacterFile(alias: alias, path: path, appends: source.append == true, isLog: false))
            }
            if let log = source.log, let path = log.file {
                files.append(CharacterFile(alias: alias, path: path, appends: log.append == true, isLog: true))
            }
            return files
        }
    }

    /// Channels without a path get one in the guest's own directory.
    mutating func setChannelPaths(_ directory: String) {
        for index in devices.channels.indices {
            guard devices.channels[index].source.type == .unix, devices.channels[index].source.path == nil else {
                continue
            }
            devices.channels[index].source.path = "\(directory)/\(devices.channels[index].socketName)"
            devices.channels[index].source.mode = .bind
        }
    }

    /// Nobody has opened the guest's ends yet.
    mutating func resetChannelStates() {
        for index in devices.channels.indices where devices.channels[index].target == .virtio {
            if devices.channels[index].name != nil { devices.channels[index].state = .disconnected }
        }
    }

    /// Notes the pseudo terminals that QEMU opened, by the names of their character devices (`charserial0`).
    mutating func setTerminals(_ terminals: [String: String], open: [String: Bool]) {
        func terminal(_ alias: String?) -> String? { alias.flatMap { terminals["char" + $0] } }
        for index in devices.serials.indices where devices.serials[index].source.type == .pty {
            devices.serials[index].source.path =
                terminal(devices.serials[index].info.alias)
                ?? devices.serials[index].source.path
        }
        for index in devices.parallels.indices where devices.parallels[index].source.type == .pty {
            devices.parallels[index].source.path = terminal(devices.parallels[index].info.alias)
        }
        for index in devices.consoles.indices where devices.consoles[index].source.type == .pty {
            devices.consoles[index].source.path =
                terminal(devices.consoles[index].info.alias)
                ?? devices.consoles[index].source.path
        }
        for index in devices.channels.indices {
            let alias = devices.channels[index].info.alias
            if devices.channels[index].source.type == .pty { devices.channels[index].source.path = terminal(alias) }
            guard let alias, devices.channels[index].name != nil, let isOpen = open["char" + alias] else { continue }
            devices.channels[index].state = isOpen ? .connected : .disconnected
        }
        copyFirstSerial()
    }

    /// The first console of a PC is its first serial port under another name.
    private mutating func copyFirstSerial() {
        guard let console = devices.consoles.first, console.target == .serial, let serial = devices.serials.first,
            console.source.type == serial.source.type
        else { return }
        devices.consoles[0].source = serial.source
        devices.consoles[0].info.alias = serial.info.alias
    }

    /// The DAC label that the guest runs with.
    mutating func addOwnLabel(_ text: String) {
        guard !securityLabels.contains(where: { $0.model == "dac" }) else { return }
        var label = SecurityLabel()
        label.type = .dynamic
        label.model = "dac"
        label.relabel = true
        label.label = text
        label.imageLabel = text
        securityLabels.append(label)
    }

    /// Whether QEMU's user gets what the guest uses.
    private var isRelabelled: Bool {
        !securityLabels.contains { $0.model == "dac" && ($0.type == SecurityLabel.Kind.none || $0.relabel == false) }
    }

    /// The nodes of the host's devices that become QEMU's. Blocks.
    var deviceNodesToOwn: [GuestRuntime.OwnedFile] {
        isRelabelled ? hostDeviceNodes().map { .init(path: $0, remembered: true) } : []
    }

    /// The files that become QEMU's: images, kernel, firmware variables, sources of random numbers.
    var filesToOwn: [GuestRuntime.OwnedFile] {
        guard isRelabelled else { return [] }
        var files: [GuestRuntime.OwnedFile] = []
        for disk in devices.disks {
            for (depth, image) in disk.chain.enumerated() {
                guard image.fdGroup == nil, let path = image.localPath,
                    !image.labels.contains(where: { $0.relabel == false })
                else { continue }
                files.append(
                    .init(path: path, remembered: depth == 0 && !disk.readonly && !disk.shareable))
            }
        }
        for path in [os.kernel, os.initrd, os.deviceTree, os.acpiTable, os.nvram?.path] {
            if let path { files.append(.init(path: path, remembered: true)) }
        }
        return files
    }

    var hasBalloon: Bool { devices.memballoon.map { $0.model != .none } ?? false }

    /// Where the balloon is in QEMU's tree.
    var balloonPath: String? {
        guard hasBalloon, let alias = devices.memballoon?.info.alias else { return nil }
        return "/machine/peripheral/\(alias)"
    }
}

extension DiskSource {
    /// The path of an image that is a file or block device of this host.
    var localPath: String? {
        switch type {
        case .file, .block, .dir: path
        case .volume: file
        case .network, .nvme, .vhostuser, .vhostvdpa: nil
        }
    }
}

extension CPU {
    /// The element as text, for the status file.
    func formatElement(depth: Int) throws -> String {
        try ElementWriter.document("cpu", self, flags: .inactive, depth: depth)
    }
}

extension Graphics {
    struct Ports: Sendable {
        var display: [Int32] = []
        var websocket: [Int32] = []
    }

    /// Chooses the ports that the definition leaves open, and an address to listen on.
    mutating func assignPorts(_ driver: QEMUDriver) throws(VirtError) -> Ports {
        var ports = Ports()
        guard type == .vnc || type == .spice else { return ports }
        let standard = type == .vnc ? driver.configuration.vncListen : driver.configuration.spiceListen
        for index in listens.indices where listens[index].type == .address && listens[index].address == nil {
            listens[index].address = standard
        }
        guard listens.first.map({ $0.type == .address || $0.type == .network }) ?? false else { return ports }
        if isAutomatic || port == nil {
            let chosen = try driver.displayPorts.acquire(isUsable: PortProbe.isFree)
            port = chosen
            ports.display.append(chosen)
        } else if let port {
            driver.displayPorts.reserve(port)
            ports.display.append(port)
        }
        if type == .vnc, websocket == -1 {
            let chosen = try driver.websocketPorts.acquire(isUsable: PortProbe.isFree)
            websocket = chosen
            websocketGenerated = true
            ports.websocket.append(chosen)
        }
        return ports
    }
}

/// Whether a TCP port is taken by somebody outside of the driver.
enum PortProbe {
    static func isFree(_ port: Int32) -> Bool {
        guard let number = UInt16(exactly: port) else { return false }
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return true }
        defer { close(socket) }
        var on: Int32 = 1
        unsafe setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return result == 0
    }
}
