import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// How a migration would run, and how fast the guest changes its memory.
enum MigrationHandlers {
    private static let mebibyte: UInt64 = 1 << 20
    /// VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY.
    private static let postcopy: UInt32 = 1

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        installSpeed(into: &table, registry)
        installLimits(into: &table, registry)
        table.onChange(RemoteProgram.DomainStartDirtyRateCalc.self) { arguments, caller in
            try await startDirtyRate(registry.actor(arguments.dom), arguments, caller.client)
            return .init()
        }
        table.on(RemoteProgram.NodeGetSevInfo.self) { _, _ in
            throw VirtError(.operationUnsupported, .qemu, "QEMU does not support SEV guest")
        }
        table.on(RemoteProgram.DomainGetLaunchSecurityInfo.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.dom).current()
            guard domain.launchSecurity == nil else {
                throw VirtError(.operationUnsupported, .qemu, "launch security of this guest")
            }
            return .init(params: [])
        }
    }

    private static func parameters(_ snapshot: DomainSnapshot) async throws -> JSONValue {
        let (_, runtime) = try snapshot.running()
        return try await StatsHandlers.ask(runtime, QMPCommand("query-migrate-parameters"))
    }

    private static func number(_ snapshot: DomainSnapshot, _ name: String) async throws -> UInt64 {
        guard let value: UInt64 = try await parameters(snapshot)[name]?.integer() else {
            throw VirtError(.operationUnsupported, .qemu, "QEMU does not know the parameter '\(name)'")
        }
        return value
    }

    private static func set(
        _ actor: DomainActor, _ api: String, _ name: String, _ value: UInt64, _ client: ClientHandle
    ) async throws {
        let words: JSONObject = JSONObject(members: [JSONObject.Member(name, .integer(value))])
        try await actor.tell(api, "migrate-set-parameters", .object(words), client)
    }

    private static func installSpeed(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainMigrateGetMaxSpeed.self) { arguments, _ in
            try arguments.flags.checkFlags(postcopy, "qemuDomainMigrateGetMaxSpeed")
            guard arguments.flags & postcopy != 0 else {
                return .init(bandwidth: try await registry.actor(arguments.dom).migrationSpeed)
            }
            let bytes = try await number(registry.snapshot(arguments.dom), "max-postcopy-bandwidth")
            return .init(bandwidth: bytes / mebibyte)
        }
        table.onChange(RemoteProgram.DomainMigrateSetMaxSpeed.self) { arguments, caller in
            try arguments.flags.checkFlags(postcopy, "qemuDomainMigrateSetMaxSpeed")
            let (bytes, overflow) = arguments.bandwidth.multipliedReportingOverflow(by: mebibyte)
            guard !overflow, bytes <= UInt64(Int64.max) else {
                throw VirtError(.overflow, .qemu, "bandwidth must be less than 8796093022208")
            }
            let actor = try registry.actor(arguments.dom)
            let api = "virDomainMigrateSetMaxSpeed"
            if arguments.flags & postcopy != 0 {
                try await set(actor, api, "max-postcopy-bandwidth", bytes, caller.client)
            } else {
                if try registry.snapshot(arguments.dom).isActive {
                    try await set(actor, api, "max-bandwidth", bytes, caller.client)
                }
                await actor.keep(migrationSpeed: arguments.bandwidth)
            }
            return .init()
        }
    }

    private static func installLimits(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainMigrateGetMaxDowntime.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainMigrateGetMaxDowntime")
            return .init(downtime: try await number(registry.snapshot(arguments.dom), "downtime-limit"))
        }
        table.onChange(RemoteProgram.DomainMigrateSetMaxDowntime.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainMigrateSetMaxDowntime")
            let actor = try registry.actor(arguments.dom)
            try await set(
                actor, "virDomainMigrateSetMaxDowntime", "downtime-limit", arguments.downtime, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainMigrateGetCompressionCache.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainMigrateGetCompressionCache")
            return .init(cacheSize: try await number(registry.snapshot(arguments.dom), "xbzrle-cache-size"))
        }
        table.onChange(RemoteProgram.DomainMigrateSetCompressionCache.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainMigrateSetCompressionCache")
            let actor = try registry.actor(arguments.dom)
            try await set(
                actor, "virDomainMigrateSetCompressionCache", "xbzrle-cache-size", arguments.cacheSize, caller.client)
            return .init()
        }
    }

    /// VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP (1), _DIRTY_RING (2).
    private static func startDirtyRate(
        _ actor: DomainActor, _ arguments: RemoteDomainStartDirtyRateCalcArgs, _ client: ClientHandle
    ) async throws {
        try arguments.flags.checkFlags(3, "qemuDomainStartDirtyRateCalc")
        guard (1...60).contains(arguments.seconds) else {
            throw VirtError(
                .invalidArg, .qemu,
                "seconds=\(arguments.seconds) is invalid, please choose value within [1, 60].")
        }
        let mode = arguments.flags & 2 != 0 ? "dirty-ring" : arguments.flags & 1 != 0 ? "dirty-bitmap" : "page-sampling"
        let words: JSONValue = ["calc-time": .integer(arguments.seconds), "mode": .string(mode)]
        try await actor.tell("virDomainStartDirtyRateCalc", "calc-dirty-rate", words, client)
    }
}

extension DomainActor {
    fileprivate func keep(migrationSpeed: UInt64) { self.migrationSpeed = migrationSpeed }
}

/// VIR_TYPED_PARAM_STRING_OKAY.
enum ParameterFlags {
    static let stringOkay: UInt32 = 4
    static let mask: UInt32 = ModificationImpact.mask | stringOkay
}
