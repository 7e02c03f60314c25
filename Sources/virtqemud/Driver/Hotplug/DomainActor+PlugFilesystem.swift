import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Directories of the host that a running guest gets.
extension DomainActor {
    /// Starts virtiofsd, and lets QEMU connect to it.
    func plugFilesystem(_ document: DeviceDocument) async throws {
        guard document.devices.filesystems.first?.driver == .virtiofs else {
            throw VirtError(.operationUnsupported, .qemu, "only virtiofs filesystems can be hotplugged")
        }
        let domain = try await extended(document)
        let alias = try newAlias(domain)
        guard let runtime, var filesystem = domain.devices.filesystems.first(where: { $0.info.alias == alias }) else {
            throw removedError
        }
        try await VhostUserDescriptor.findProgram(for: &filesystem)
        let companion = Companion.filesystem(
            filesystem, driver.paths, name: name, id: runtime.id, library: runtime.libraryPath)
        do {
            if let companion { try await start(companion, for: filesystem) }
            var devices = Devices()
            devices.filesystems = [filesystem]
            let facts = try await driver.facts(for: domain)
            let commands = try DevicePlug.commands(for: devices, in: domain, facts, plugEnvironment(runtime))
            var session = try session()
            do {
                try await session.run(commands)
            } catch {
                await session.takeBack()
                throw error
            }
            try await finishPlug(alias, devices)
        } catch {
            await companion?.stop(on: loop)
            throw error
        }
    }

    private func start(_ companion: Companion, for filesystem: Filesystem) async throws {
        let program = try await filesystemProgram(filesystem, companion)
        await appendLog("Starting external device: \(companion.title)\n\(program.commandLine)")
        _ = try await companion.start(program, on: loop)
        guard let group = runtime?.cgroup, let pid = await companion.runningPID() else { return }
        try await BlockingPool.shared.run { try group.place(companion: pid) }
    }

    /// The guest has let go of a directory.
    func release(_ filesystem: Filesystem) async {
        guard let runtime, let alias = filesystem.info.alias else { return }
        await attempt("chardev-remove", ["id": .string("chr-vu-\(alias)")])
        await Companion.filesystem(
            filesystem, driver.paths, name: name, id: runtime.id, library: runtime.libraryPath)?.stop(on: loop)
    }
}
