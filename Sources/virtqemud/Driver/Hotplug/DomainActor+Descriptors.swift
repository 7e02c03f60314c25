import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

/// Images that clients hand over as descriptors.
extension DomainActor {
    /// SECLABEL_RESTORE and SECLABEL_WRITABLE. Both speak of labels of the file itself, which a driver that labels by path
    /// leaves alone: whoever opened the file may use it.
    private static let associationFlags: UInt32 = 3

    /// virDomainFDAssociate: the descriptors are kept until their client leaves.
    func associate(_ name: String, _ descriptors: [DescriptorBox], flags: UInt32, _ client: ClientHandle) throws {
        try flags.checkFlags(Self.associationFlags, "qemuDomainFDAssociate")
        guard !isRemoved else { throw removedError }
        let isWatched = descriptorGroups.hasAny(of: client.id)
        descriptorGroups.associate(name, descriptors, client: client.id)
        guard !isWatched else { return }
        let id = client.id
        client.onClose { [weak self] in
            guard let self else { return }
            loop.execute { [weak self] in self?.assumeIsolated { $0.descriptorGroups.removeAll(of: id) } }
        }
    }

    /// Hands a running guest the images of a disk's chain that clients opened.
    func passImages(
        of disk: Disk, _ session: inout PlugSession, _ environment: inout CommandEnvironment
    ) async throws {
        for image in disk.chain {
            guard let name = image.fdGroup, let index = image.index else { continue }
            let descriptors = try descriptorGroups.required(name)
            let set = nextDescriptorSet()
            for (position, descriptor) in descriptors.enumerated() {
                try await session.add(descriptor, to: set, as: ImageNodes.storageName(index) + String(position))
            }
            environment.images[index] = .init(number: set, descriptors: descriptors.map(\.rawValue))
        }
    }

    /// Lets QEMU close what it was given for the images of a disk that is gone.
    func closeImageSets(of disk: Disk) async {
        let names = disk.chain.filter { $0.fdGroup != nil }.map { ImageNodes.storageName($0.index) }
        guard !names.isEmpty, let monitor = runtime?.monitor,
            let sets = try? await monitor.execute("query-fdsets", timeout: MonitorTimeout.standard)
        else { return }
        for set in sets.array ?? [] {
            let opaques = (set["fds"]?.array ?? []).compactMap { $0["opaque"]?.string }
            guard let number = set["fdset-id"], let opaque = opaques.first,
                names.contains(where: { opaque.hasPrefix($0) })
            else { continue }
            await attempt("remove-fd", ["fdset-id": number])
        }
    }
}
