import Glibc
import QEMUCommand
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// What a guest's document only names and the host has: looked up for a start and for `domxml-to-native` alike.
struct GuestResources: Sendable {
    let driver: QEMUDriver
    let loop: EventLoop
    let key: MasterKey

    /// Displays that listen where a network is.
    func findListenAddresses(_ domain: inout Domain) async throws {
        guard !domain.devices.graphics.contains(where: { $0.listens.count > 1 }) else {
            throw VirtError(
                .configUnsupported, .qemu, "QEMU does not support multiple listens for one graphics device.")
        }
        for index in domain.devices.graphics.indices {
            for place in domain.devices.graphics[index].listens.indices {
                let listen = domain.devices.graphics[index].listens[place]
                guard listen.type == .network, let name = listen.network else { continue }
                domain.devices.graphics[index].listens[place].address = try await address(of: name)
            }
        }
    }

    /// The host's own address on a network.
    private func address(of name: String) async throws -> String {
        let daemon = try await PeerDaemon.connect("network", driver, loop: loop)
        defer { daemon.close() }
        let found = try await daemon.client.call(RemoteProgram.NetworkLookupByName.self, .init(name: name)).net
        let text = try await daemon.client.call(
            RemoteProgram.NetworkGetXmlDesc.self, .init(net: found, flags: 0)
        ).xml
        let network = try Network.parse(text.utf8)
        guard let address = network.addresses.first?.address else {
            throw VirtError(.xmlError, .qemu, "network '\(name)' doesn't have an IP address")
        }
        return "\(address)"
    }

    /// `<source pool= volume=>` becomes the volume's path.
    func findVolume(_ disk: inout Disk) async throws {
        guard disk.source.type == .volume, let pool = disk.source.pool, let volume = disk.source.volume else { return }
        let daemon = try await PeerDaemon.connect("storage", driver, loop: loop)
        defer { daemon.close() }
        let client = daemon.client
        let found = try await client.call(RemoteProgram.StoragePoolLookupByName.self, .init(name: pool)).pool
        let handle = try await client.call(
            RemoteProgram.StorageVolLookupByName.self, .init(pool: found, name: volume)
        ).vol
        let path = try await client.call(RemoteProgram.StorageVolGetPath.self, .init(vol: handle)).name
        disk.source.file = path
        disk.source.dev = path
    }

    /// Everything else, once devices have their names and images their numbers.
    func find(_ domain: inout Domain, _ environment: inout CommandEnvironment) async throws {
        try await findSecrets(domain, &environment)
        let nvram = driver.paths.nvram
        let wish = domain
        domain = try await BlockingPool.shared.run {
            var domain = wish
            try domain.chooseFirmware(FirmwareDescriptor.all(), nvramDirectory: nvram)
            return domain
        }
        try findSCSI(domain, &environment)
    }

    /// The programs that are to serve the guest's devices: noted in the document for directories, the result for video
    /// devices by their aliases.
    func findPrograms(_ domain: inout Domain) async throws -> [String: String] {
        var programs: [String: String] = [:]
        for index in domain.devices.videos.indices where domain.devices.videos[index].driverName == .vhostuser {
            let program = try await VhostUserDescriptor.program(for: &domain.devices.videos[index])
            if let alias = domain.devices.videos[index].info.alias { programs[alias] = program }
        }
        for index in domain.devices.filesystems.indices {
            try await VhostUserDescriptor.findProgram(for: &domain.devices.filesystems[index])
        }
        return programs
    }

    func findSecrets(_ domain: Domain, _ environment: inout CommandEnvironment) async throws {
        let lookup = SecretLookup(directory: driver.paths.run, loop: loop)
        for needed in domain.neededSecrets where environment.secrets[needed.id] == nil {
            let value: [UInt8]
            switch needed.content {
            case .text(let text): value = Array(text.utf8)
            case .reference(let reference, let usage): value = try await lookup.value(reference.key(usage))
            }
            environment.secrets[needed.id] = try key.encrypt(value)
        }
    }

    /// The generic devices of the host's SCSI devices.
    private func findSCSI(_ domain: Domain, _ environment: inout CommandEnvironment) throws {
        for device in domain.devices.hostdevs where device.type == .scsi && device.source.protocol != "iscsi" {
            guard let alias = device.info.alias else { continue }
            let path = device.source.genericDirectory(sysfs: "/sys")
            guard let name = SysFile.names(path).first else {
                throw VirtError.system(ENOENT, .none, "cannot open directory '\(path)'")
            }
            environment.scsiGeneric[alias] = name
        }
    }
}

extension SecretReference {
    fileprivate func key(_ usage: NeededSecret.Usage) -> SecretLookup.Key {
        if let uuid { return .uuid(uuid) }
        let kind: SecretLookup.Usage =
            switch usage {
            case .volume: .volume
            case .ceph: .ceph
            case .iscsi: .iscsi
            }
        return .usage(kind, self.usage ?? "")
    }
}
