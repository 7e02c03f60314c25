import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Devices of the host that a running guest gets: those of USB, PCI and mediated ones.
extension DomainActor {
    func plugHostDevice(_ document: DeviceDocument) async throws {
        guard let wanted = document.devices.hostdevs.first else { return }
        switch wanted.type {
        case .usb, .pci, .mdev: break
        case .scsi, .scsiHost:
            throw VirtError(
                .operationUnsupported, .qemu,
                "live attach of a host device of type '\(wanted.type.rawValue)' is not supported")
        }
        var bare = Domain()
        bare.devices = document.devices
        try await checkVFIO(bare)
        let domain = try await extended(document)
        let alias = try newAlias(domain)
        guard let runtime, let device = domain.devices.hostdevs.first(where: { $0.info.alias == alias }) else {
            throw removedError
        }
        var single = domain
        single.devices = Devices()
        single.devices.hostdevs = [device]
        var plan = StartPlan(
            domain: single, facts: try await driver.facts(for: domain), environment: plugEnvironment(runtime))
        do {
            try await prepareHostDevices(&plan)
            try await takeNodes(&plan)
            if let limit = domain.lockedMemoryLimit {
                try ResourceLimit(.lockedMemory, limit).apply(to: runtime.pid)
            }
            try await run(plan, in: domain)
            try await finishPlug(alias, plan.domain.devices)
        } catch {
            await plan.undo.unwind()
            throw error
        }
        plan.undo.forget()
    }

    /// Makes the nodes of new devices QEMU's.
    private func takeNodes(_ plan: inout StartPlan) async throws {
        guard driver.configuration.dynamicOwnership, !driver.paths.isSession else { return }
        let (driver, domain) = (self.driver, plan.domain)
        let known = Set(runtime?.ownedFiles.map(\.path) ?? [])
        let files = try await BlockingPool.shared.run {
            let files = domain.deviceNodesToOwn.filter { !known.contains($0.path) }
            for file in files { try driver.owner.take(file.path, remember: file.remembered) }
            return files
        }
        runtime?.ownedFiles += files
        plan.undo.add("device nodes") { await self.giveUp(files) }
    }

    private func giveUp(_ files: [GuestRuntime.OwnedFile]) async {
        runtime?.ownedFiles.removeAll { files.contains($0) }
        await giveBack(files)
    }

    private func run(_ plan: StartPlan, in domain: Domain) async throws {
        let commands = try DevicePlug.commands(for: plan.domain.devices, in: domain, plan.facts, plan.environment)
        var session = try session()
        do {
            try await session.run(commands)
        } catch {
            await session.takeBack()
            throw error
        }
    }

    /// The guest has let go of a device: the host has it again.
    func release(_ device: Hostdev) async {
        var single = Domain()
        single.devices.hostdevs = [device]
        let (gone, rest) = (single, live)
        // Devices of one group share a node.
        let paths =
            (try? await BlockingPool.shared.run {
                Set(gone.hostDeviceNodes()).subtracting(rest?.hostDeviceNodes() ?? [])
            }) ?? []
        await giveUp(runtime?.ownedFiles.filter { paths.contains($0.path) } ?? [])
        await releaseHostDevices(of: single)
    }
}
