import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Numbers that are set: memory, processors, threads, limits, reactions.
enum TuningHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        installMemory(into: &table, registry)
        installProcessors(into: &table, registry)
        TuningParameters.install(into: &table, registry)
        table.onChange(RemoteProgram.DomainSetLifecycleAction.self) { arguments, caller in
            try await setAction(registry.actor(arguments.dom), arguments, caller.client)
            return .init()
        }
    }

    private static func installMemory(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainSetMemory.self) { arguments, caller in
            try await registry.actor(arguments.dom).setMemory(
                arguments.memory, flags: ModificationImpact.liveFlag, "virDomainSetMemory", caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainSetMemoryFlags.self) { arguments, caller in
            try await registry.actor(arguments.dom).setMemory(
                arguments.memory, flags: arguments.flags, "virDomainSetMemoryFlags", caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainSetMaxMemory.self) { arguments, caller in
            try await registry.actor(arguments.dom).setMemory(
                arguments.memory, flags: 4, "virDomainSetMaxMemory", caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainSetMemoryStatsPeriod.self) { arguments, caller in
            try await registry.actor(arguments.dom).setStatisticsPeriod(
                arguments.period, flags: arguments.flags, caller.client)
            return .init()
        }
    }

    private static func installProcessors(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainSetVcpus.self) { arguments, caller in
            let flags = ModificationImpact.liveFlag
            try await registry.actor(arguments.dom).setVCPUs(arguments.nvcpus, flags: flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainSetVcpusFlags.self) { arguments, caller in
            try await registry.actor(arguments.dom).setVCPUs(
                arguments.nvcpus, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainAddIothread.self) { arguments, caller in
            try await registry.actor(arguments.dom).addThread(
                arguments.iothreadId, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainDelIothread.self) { arguments, caller in
            try await registry.actor(arguments.dom).removeThread(
                arguments.iothreadId, flags: arguments.flags, caller.client)
            return .init()
        }
    }

    /// virDomainSetLifecycleAction: poweroff 0, reboot 1, crash 2; destroy, restart, rename-restart, preserve and the two
    /// kinds of core dumps.
    private static func setAction(
        _ actor: DomainActor, _ arguments: RemoteDomainSetLifecycleActionArgs, _ client: ClientHandle
    ) async throws {
        try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainSetLifecycleAction")
        let actions: [LifecycleAction] = [
            .destroy, .restart, .renameRestart, .preserve, .coredumpDestroy, .coredumpRestart,
        ]
        guard arguments.type < 3, actions.indices.contains(Int(arguments.action)) else {
            throw VirtError(.invalidArg, .qemu, "Unsupported lifecycle event type or action")
        }
        let action = actions[Int(arguments.action)]
        guard arguments.type == 2 || action != .coredumpDestroy && action != .coredumpRestart else {
            let event = arguments.type == 0 ? "poweroff" : "reboot"
            throw VirtError(
                .configUnsupported, .domain,
                "Lifecycle event '\(event)' doesn't support '\(action.rawValue)' action")
        }
        try await actor.setAction(arguments.type, action, flags: arguments.flags, client)
    }
}

extension DomainActor {
    fileprivate func setAction(
        _ type: UInt32, _ action: LifecycleAction, flags: UInt32, _ client: ClientHandle
    ) async throws {
        try await change("virDomainSetLifecycleAction", flags: flags, client, guest: { _, _ in }) { domain in
            switch type {
            case 0: domain.onPoweroff = action
            case 1: domain.onReboot = action
            default: domain.onCrash = action
            }
            try domain.checkLifecycle()
        }
    }
}
