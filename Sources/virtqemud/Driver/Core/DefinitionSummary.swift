import VirtModel

/// What lists, statistics and information calls say of a definition.
final class DefinitionSummary: Sendable {
    let name: String
    let osType: String
    /// In KiB.
    let maximumMemory: UInt64
    let currentMemory: UInt64
    let maximumVCPUs: UInt32
    let onlineVCPUs: UInt32
    let disks: [Disk]

    struct Disk: Sendable, Equatable {
        let target: String
        let path: String?
        /// Where the content is in the file system, for disks that are.
        let image: Image?
    }

    /// Where a disk's content is in the file system.
    struct Image: Sendable, Equatable {
        let path: String
        let format: String?
    }

    init(_ domain: Domain) {
        name = domain.name
        osType = domain.os.type ?? "hvm"
        maximumMemory = domain.maximumMemoryKibibytes
        currentMemory = domain.currentMemoryKibibytes
        maximumVCPUs = domain.vcpu.maximum
        onlineVCPUs = domain.onlineVCPUs
        disks = domain.devices.disks.map { disk in
            // What a client opened need not be what its path leads to.
            let path = disk.source.fdGroup == nil ? disk.source.localPath : nil
            let image = path.map { Image(path: $0, format: disk.driver?.type) }
            return Disk(target: disk.target.dev ?? "", path: disk.source.path, image: image)
        }
    }
}
