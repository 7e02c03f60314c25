import VirtCore
import VirtRPC
import VirtWire

/// Backups, and the job of a domain that one is.
enum BackupHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onChange(RemoteProgram.DomainBackupBegin.self) { arguments, caller in
            try await registry.actor(arguments.dom).beginBackup(
                arguments.backupXml, checkpoint: arguments.checkpointXml, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainBackupGetXmlDesc.self) { arguments, _ in
            .init(xml: try await registry.actor(arguments.dom).backupDocument(flags: arguments.flags))
        }
        installJobs(into: &table, registry)
    }

    private static func installJobs(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainGetJobInfo.self) { arguments, _ in
            _ = try registry.snapshot(arguments.dom).running()
            guard let job = try await registry.actor(arguments.dom).currentJob() else {
                return .init(
                    type: 0, timeElapsed: 0, timeRemaining: 0, dataTotal: 0, dataProcessed: 0, dataRemaining: 0,
                    memTotal: 0, memProcessed: 0, memRemaining: 0, fileTotal: 0, fileProcessed: 0, fileRemaining: 0)
            }
            return job.info
        }
        table.onAsync(RemoteProgram.DomainGetJobStats.self) { arguments, _ in
            try arguments.flags.checkFlags(3, "qemuDomainGetJobStats")
            let job = try await registry.actor(arguments.dom).jobStatistics(flags: arguments.flags)
            return .init(type: job?.status.rawValue ?? 0, params: job?.parameters ?? [])
        }
        table.onChange(RemoteProgram.DomainAbortJob.self) { arguments, caller in
            try await registry.actor(arguments.dom).abortJob(caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainAbortJobFlags.self) { arguments, caller in
            // VIR_DOMAIN_ABORT_JOB_POSTCOPY is about migrations.
            try arguments.flags.checkFlags(1, "qemuDomainAbortJobFlags")
            try await registry.actor(arguments.dom).abortJob(caller.client)
            return .init()
        }
    }
}
