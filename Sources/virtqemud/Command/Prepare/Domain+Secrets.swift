package import VirtModel

/// A secret that QEMU is to get.
package struct NeededSecret: Sendable, Equatable {
    package enum Usage: Sendable, Equatable { case volume, ceph, iscsi }
    package enum Content: Sendable, Equatable {
        /// One that the secret driver keeps.
        case reference(SecretReference, Usage)
        /// A text that the document has.
        case text(String)
    }

    /// Its id on the command line.
    package let id: String
    package let content: Content

    package init(id: String, content: Content) {
        self.id = id
        self.content = content
    }
}

extension Domain {
    /// The secrets of all images, whose indexes are given (`assignNodeIndexes`).
    package var neededSecrets: [NeededSecret] {
        let images = devices.disks.flatMap { disk in
            [disk.effectiveSource] + disk.chain.dropFirst(disk.source.isEmpty ? 0 : 1)
        }
        let hosts = devices.hostdevs.compactMap { device -> NeededSecret? in
            guard let secret = device.source.auth?.secret, let index = device.source.nodeIndex else { return nil }
            return NeededSecret(id: "libvirt-\(index)-backend-secret0", content: .reference(secret, .iscsi))
        }
        return hosts + images.flatMap(\.neededSecrets)
    }
}

extension DiskSource {
    fileprivate var neededSecrets: [NeededSecret] {
        let name = "libvirt-\(index ?? 0)"
        var secrets: [NeededSecret] = []
        if auth?.userName != nil, let secret = auth?.secret {
            let usage: NeededSecret.Usage = network.protocol == .rbd ? .ceph : .iscsi
            secrets.append(.init(id: "\(name)-storage-auth-secret0", content: .reference(secret, usage)))
        }
        if type == .network, !network.cookies.isEmpty {
            let text = network.cookies.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
            secrets.append(.init(id: "\(name)-storage-httpcookie-secret0", content: .text(text)))
        }
        if let secret = encryption?.secrets.first {
            secrets.append(.init(id: "\(name)-format-encryption-secret0", content: .reference(secret, .volume)))
        }
        return secrets
    }
}
