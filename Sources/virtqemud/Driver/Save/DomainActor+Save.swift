import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtXML

/// Saving a guest's memory into a file, and dumping it.
extension DomainActor {
    /// virDomainSaveRestoreFlags: bypass the cache 1, running 2, paused 4, reset NVRAM 8.
    private static let saveFlags: UInt32 = 7

    /// virDomainSaveFlags, virDomainManagedSave: the guest ends when its state is in the file.
    func save(
        to path: String, document: String?, flags: UInt32, isManaged: Bool, _ api: String, _ client: ClientHandle
    ) async throws {
        try flags.checkFlags(Self.saveFlags, isManaged ? "qemuDomainManagedSave" : "qemuDomainSaveFlags")
        guard flags & 6 != 6 else {
            throw VirtError(.invalidArg, .qemu, "running and paused flags are mutually exclusive")
        }
        _ = try running()
        if isManaged, !isPersistent {
            throw VirtError(.operationInvalid, .qemu, "cannot do managed save for transient domain")
        }
        try await withJob(.stop, api, client: client.id) {
            let (live, _) = try self.running()
            try self.requireNoBlockJobs()
            let wasRunning = self.state.kind == .running
            let isRunning = flags & 2 != 0 || (flags & 4 == 0 && wasRunning)
            let image = SavedImage(
                xml: try document ?? self.savedDocument(live), wasRunning: isRunning, cookie: try self.savedCookie(live)
            )
            try await self.pauseGuest(.save)
            do {
                try await self.write(image, to: path, .save)
            } catch {
                _ = try? await BlockingPool.shared.run { try FileSystem.remove(path) }
                if wasRunning { try? await self.continueGuest(.saveCanceled) }
                throw error
            }
            if isManaged { self.hasManagedSave = true }
            self.runtime?.stopReason = .saved
            self.runtime?.process?.kill(SIGTERM)
            await self.stopGuest(.saved, event: .saved)
        }
    }

    /// What the document does not tell: the processor that the guest really has.
    func savedCookie(_ live: Domain) throws -> String? {
        try live.cpu.map { "<cookie>\n\(try $0.formatElement(depth: 1))</cookie>\n" }
    }

    /// The guest as its user defined it: without what this start made up.
    func savedDocument(_ live: Domain) throws -> String {
        try definition(of: live).format([.migratable, .secure, .inactive])
    }

    /// The definition behind a running guest: without what its start made up.
    func definition(of live: Domain) throws -> Domain {
        var domain = live
        if let text = runtime?.originalCPU, let node = try XMLDocument.parse(text, name: "cpu", domain: .qemu).root {
            domain.cpu = try ElementReader.read(node, flags: .inactive)
        }
        domain.securityLabels.removeAll { $0.model == "dac" && $0.type == .dynamic && $0.baseLabel == nil }
        let directory = runtime?.channelPath ?? ""
        for index in domain.devices.channels.indices {
            guard domain.devices.channels[index].source.path?.hasPrefix(directory + "/") == true else { continue }
            domain.devices.channels[index].source.path = nil
            domain.devices.channels[index].source.mode = nil
        }
        return domain
    }

    /// Writes the guest's state; the guest stands still afterwards.
    func write(_ image: SavedImage, to path: String, _ operation: JobStatistics.Operation) async throws {
        let descriptor = try await BlockingPool.shared.run { try image.create(path) }
        try await migrate(into: descriptor, operation)
        try await BlockingPool.shared.run { try image.complete(descriptor, path) }
    }

    /// Stops the guest's processors, if they run.
    func pauseGuest(_ reason: DomainState.Paused) async throws {
        guard state.kind == .running else { return }
        runtime?.pendingPause = reason
        try await command("stop")
        runtime?.pendingPause = nil
        await releaseLocks()
    }

    func continueGuest(_ reason: DomainState.Running) async throws {
        try await resumeProcessors(reason)
        runtime?.pendingRunning = nil
    }

    /// Lets QEMU write its state into a file, as fast as it can. Whoever listens hears how it went.
    private func migrate(into descriptor: DescriptorBox, _ operation: JobStatistics.Operation) async throws {
        let begin = MonotonicTime.now()
        guard let monitor = runtime?.monitor else { throw removedError }
        try await command("migrate-set-parameters", ["max-bandwidth": .integer(9_223_372_036_853_727_232 as Int64)])
        var session = PlugSession(monitor)
        try await session.pass(descriptor, as: "migrate")
        try await command("migrate", ["detach": true, "resume": false, "uri": "fd:migrate"])
        let loop = self.loop
        while true {
            let answer = try await command("query-migrate")
            switch answer["status"]?.string {
            case "completed"?:
                let elapsed = UInt64(max(0, (MonotonicTime.now() - begin).wholeMilliseconds))
                var statistics = JobStatistics(operation: operation, status: .completed, elapsed: elapsed)
                statistics.memory = MigrationStatistics(answer)
                completedJob = statistics
                return emit(.jobCompleted(statistics.parameters))
            case "failed"?, "cancelled"?:
                let text = answer["error-desc"]?.string.map { ": \($0)" } ?? ""
                throw VirtError(.operationFailed, .qemu, "domain save job: unexpectedly failed\(text)")
            default: break
            }
            do {
                try await loop.sleep(for: .milliseconds(20))
            } catch {
                await attempt("migrate_cancel", [:])
                throw error
            }
        }
    }

    /// virDomainCoreDumpWithFormat: crash 1, live 2, bypass the cache 4, reset 8, memory only 16.
    func dump(
        to path: String, format: UInt32, flags: UInt32, _ api: String, _ client: ClientHandle
    ) async throws {
        try flags.checkFlags(31, "qemuDomainCoreDumpWithFormat")
        let formats = [nil, "kdump-zlib", "kdump-lzo", "kdump-snappy"]
        guard formats.indices.contains(Int(format)) else {
            throw VirtError(.invalidArg, .qemu, "unknown dumpformat '\(format)'")
        }
        guard flags & 16 != 0 || format == 0 else {
            throw VirtError(
                .operationUnsupported, .qemu, "kdump-compressed format is only supported with memory-only dump")
        }
        try await withJob(.modify, api, client: client.id) {
            _ = try self.running()
            let resumes = self.state.kind == .running && flags & 1 == 0
            if flags & 2 == 0 { try await self.pauseGuest(.dump) }
            do {
                try await self.writeDump(path, formats[Int(format)], memoryOnly: flags & 16 != 0)
            } catch {
                _ = try? await BlockingPool.shared.run { try FileSystem.remove(path) }
                if resumes, self.state.kind == .paused { try? await self.continueGuest(.unpaused) }
                throw error
            }
            try await self.finishDump(flags, resumes: resumes)
        }
    }

    private func finishDump(_ flags: UInt32, resumes: Bool) async throws {
        if flags & 1 != 0 {
            runtime?.stopReason = .crashed
            runtime?.process?.kill(SIGTERM)
            return await stopGuest(.crashed, event: .crashed)
        }
        if flags & 8 != 0 { try await command("system_reset") }
        if resumes, state.kind == .paused { try await continueGuest(.unpaused) }
        await saveStatus()
    }

    private func writeDump(_ path: String, _ format: String?, memoryOnly: Bool) async throws {
        let descriptor = try await BlockingPool.shared.run {
            DescriptorBox(try OwnedDescriptor(opening: path, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600))
        }
        guard memoryOnly else { return try await migrate(into: descriptor, .dump) }
        guard let monitor = runtime?.monitor else { throw removedError }
        var session = PlugSession(monitor)
        try await session.pass(descriptor, as: "dump")
        var words: JSONObject = ["paging": false, "protocol": "fd:dump", "detach": true]
        if let format { words["format"] = .string(format) }
        try await command("dump-guest-memory", .object(words))
        let loop = self.loop
        while true {
            let answer = try await command("query-dump")
            switch answer["status"]?.string {
            case "completed"?: return
            case "failed"?: throw VirtError(.operationFailed, .qemu, "memory-only dump failed")
            default: try await loop.sleep(for: .milliseconds(20))
            }
        }
    }
}
