import VirtCore
import VirtModel

/// What makes a command line impossible on this host, or before something was looked up.
extension CommandBuilder {
    func checkHost() throws(VirtError) {
        try checkProcessor()
        try checkNUMA()
        try checkGraphics()
        for disk in devices.disks { try check(disk) }
        for device in devices.hostdevs where device.source.type == .pci && device.info.address != .unassigned {
            guard device.driverName == nil || device.driverName == "default", !environment.hasVFIO else { continue }
            throw VirtError(.internalError, .qemu, "invalid PCI passthrough type 'default'")
        }
    }

    private func checkProcessor() throws(VirtError) {
        guard let mode = domain.cpu?.mode, !isKVM, mode == .hostPassthrough || mode == .hostModel else { return }
        throw VirtError(
            .configUnsupported, .qemu,
            "CPU mode '\(mode.rawValue)' for \(domain.os.arch ?? "") \(domain.type.rawValue) domain on "
                + "\(environment.hostArchitecture) host is not supported by hypervisor")
    }

    private func checkNUMA() throws(VirtError) {
        if domain.numaTuning.placement == .auto, environment.numaAdvice == nil {
            throw VirtError(
                .internalError, .qemu, "Advice from numad is needed in case of automatic numa placement")
        }
        guard let nodes = environment.hostNodes else { return }
        var wanted = domain.numaTuning.nodeset?.members ?? []
        for node in domain.numaTuning.nodes { wanted += node.nodeset.members }
        for memory in devices.memories { wanted += memory.source.nodemask?.members ?? [] }
        wanted += devices.controllers.compactMap(\.target?.node).filter { _ in machine.isPSeries }
        if let missing = wanted.first(where: { !nodes.contains($0) }) {
            throw VirtError(.configUnsupported, .qemu, "NUMA node \(missing) is unavailable")
        }
    }

    private func checkGraphics() throws(VirtError) {
        guard devices.graphics.contains(where: { $0.listens.count > 1 }) else { return }
        throw VirtError(
            .configUnsupported, .qemu, "QEMU does not support multiple listens for one graphics device.")
    }

    private func check(_ disk: Disk) throws(VirtError) {
        if machine.isPSeries, disk.target.bus == .fdc {
            throw VirtError(.configUnsupported, .qemu, "PowerPC pseries machines do not support floppy device")
        }
        var next: (source: DiskSource, below: BackingStore?)? = (disk.effectiveSource, disk.backingStore)
        while let image = next {
            try check(image.source)
            guard let below = image.below, let source = below.source else { return }
            next = (source, below.backingStore)
        }
    }

    private func check(_ source: DiskSource) throws(VirtError) {
        // A volume that starts has been found by now; only conversions ask without looking.
        if source.type == .volume, source.path == nil {
            throw VirtError(
                .noStoragePool, .storage, "no storage pool with matching name '\(source.pool ?? "")'")
        }
        if source.type == .network, source.network.protocol == .vxhs {
            throw VirtError(.configUnsupported, .qemu, "VxHS protocol is not supported with this QEMU binary")
        }
        let name = "libvirt-\(source.index ?? 0)"
        if source.auth?.userName != nil { try require("\(name)-storage-auth-secret0", source.auth?.secret) }
        if let encryption = source.encryption {
            try require("\(name)-format-encryption-secret0", encryption.secrets.first)
        }
    }

    private func require(_ id: String, _ secret: SecretReference?) throws(VirtError) {
        guard environment.secrets[id] == nil, let secret else { return }
        if let uuid = secret.uuid {
            throw VirtError(.noSecret, .secret, "no secret with matching uuid '\(uuid)'")
        }
        if let usage = secret.usage { throw VirtError(.noSecret, .secret, "no secret with matching usage '\(usage)'") }
    }
}
