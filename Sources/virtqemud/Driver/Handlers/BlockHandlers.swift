import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Changes of a guest's disks while it runs: limits, size, warnings.
enum BlockHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.on(RemoteProgram.DomainGetBlockIoTune.self) { arguments, _ in
            let domain = try TuningParameters.definition(
                registry.snapshot(arguments.dom), arguments.flags, "qemuDomainGetBlockIoTune")
            guard arguments.nparams > 0 else {
                return .init(params: [], nparams: Int32(IOTuneParameters.list(nil).count))
            }
            let disk = domain.devices.disks[try domain.requireDisk(arguments.disk ?? "")]
            let list = IOTuneParameters.list(disk.ioTune)
            let shown = Array(list.prefix(Int(arguments.nparams)))
            return .init(params: shown, nparams: Int32(shown.count))
        }
        table.onChange(RemoteProgram.DomainSetBlockIoTune.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.setIOTune(
                arguments.disk, arguments.params, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainBlockResize.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.resize(arguments.disk, size: arguments.size, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainSetBlockThreshold.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainSetBlockThreshold")
            let actor = try registry.actor(arguments.dom)
            try await actor.setThreshold(arguments.dev, arguments.threshold, caller.client)
            return .init()
        }
    }
}

extension Domain {
    /// The disk with a target name or source path, or libvirt's error.
    func requireDisk(_ name: String) throws(VirtError) -> Int {
        guard let index = diskIndex(name) else {
            throw VirtError(.invalidArg, .qemu, "disk '\(name)' was not found in the domain config")
        }
        return index
    }
}

extension DomainActor {
    /// virDomainSetBlockIoTune.
    func setIOTune(
        _ name: String, _ parameters: [TypedParameter], flags: UInt32, _ client: ClientHandle
    ) async throws {
        try flags.checkFlags(ParameterFlags.mask, "qemuDomainSetBlockIoTune")
        let impact = try impact(flags & ModificationImpact.mask)
        try await change("virDomainSetBlockIoTune", flags: flags & ModificationImpact.mask, client) { domain, _ in
            let disk = domain.devices.disks[try domain.requireDisk(name)]
            guard !disk.source.isEmpty else {
                throw VirtError(.configUnsupported, .qemu, "cannot set throttling for empty drive '\(name)'")
            }
            try IOTuneParameters.checkBursts(disk.ioTune ?? IOTune())
            let words = IOTuneParameters.words(disk.ioTune ?? IOTune(), device: disk.backendPath)
            try await self.command("block_set_io_throttle", .object(words))
        } definition: { domain in
            let index = try domain.requireDisk(name)
            let tune = try IOTuneParameters.apply(parameters, to: domain.devices.disks[index].ioTune)
            domain.devices.disks[index].ioTune = tune == IOTune() ? nil : tune
        }
        guard impact.live else { return }
        let target =
            live.flatMap { live in live.diskIndex(name).map { live.devices.disks[$0].target.dev ?? "" } } ?? name
        emit(
            .tunable(
                [TypedParameter("blkdeviotune.disk", .string(target))]
                    + parameters.map { TypedParameter("blkdeviotune." + $0.field, $0.value) }))
    }

    /// virDomainBlockResize: VIR_DOMAIN_BLOCK_RESIZE_BYTES is 1.
    func resize(_ name: String, size: UInt64, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(1, "qemuDomainBlockResize")
        var (bytes, overflow) = flags & 1 != 0 ? (size, false) : size.multipliedReportingOverflow(by: 1024)
        guard !overflow, bytes <= UInt64(Int64.max) else {
            throw VirtError(.overflow, .qemu, "size must be less than \(UInt64(Int64.max) / 1024)")
        }
        try await withJob(.modify, "virDomainBlockResize", client: client.id) {
            let (live, _) = try self.running()
            guard let index = live.diskIndex(name) else {
                throw VirtError(.invalidArg, .qemu, "disk '\(name)' was not found in the domain config")
            }
            let disk = live.devices.disks[index]
            // QEMU takes whole sectors only.
            if ["qcow2", "qed"].contains(disk.driver?.type ?? "raw") { bytes = (bytes + 511) / 512 * 512 }
            guard !disk.source.isEmpty, !disk.readonly, let number = disk.source.index else {
                throw VirtError(.operationInvalid, .qemu, "can't resize empty or readonly disk '\(name)'")
            }
            try await self.command(
                "block_resize", ["node-name": .string("libvirt-\(number)-format"), "size": .integer(bytes)])
        }
    }

    /// virDomainSetBlockThreshold: `dev` may name an image of the chain, "vda[2]".
    func setThreshold(_ name: String, _ threshold: UInt64, _ client: ClientHandle) async throws {
        try await withJob(.modify, "virDomainSetBlockThreshold", client: client.id) {
            let (live, _) = try self.running()
            guard let number = live.imageNumber(name) else {
                throw VirtError(.invalidArg, .qemu, "failed to find disk '\(name)'")
            }
            try await self.command(
                "block-set-write-threshold",
                ["node-name": .string("libvirt-\(number)-storage"), "write-threshold": .integer(threshold)])
        }
    }
}

extension Domain {
    /// The number of the image that "vda" or "vda[3]" means.
    func imageNumber(_ name: String) -> UInt32? {
        let parts = name.split(separator: "[", maxSplits: 1)
        guard let target = parts.first, let disk = devices.disks.first(where: { $0.target.dev == String(target) })
        else {
            return nil
        }
        guard parts.count == 2 else { return disk.source.index }
        guard parts[1].hasSuffix("]"), let number = UInt32(parts[1].dropLast()) else { return nil }
        return disk.chain.contains { $0.index == number } ? number : nil
    }
}

extension Disk {
    /// Where QEMU has the drive's backend in its tree.
    var backendPath: String {
        let alias = info.alias ?? ""
        return target.bus == .virtio ? "/machine/peripheral/\(alias)/virtio-backend" : alias
    }
}
