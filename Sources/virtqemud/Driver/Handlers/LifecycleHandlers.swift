import VirtCore
import VirtRPC
import VirtWire

/// Starting and ending guests.
enum LifecycleHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installStarts(into: &table, driver)
        installStates(into: &table, driver.registry)
        installEnds(into: &table, driver.registry)
    }

    private static func installStarts(into table: inout HandlerTable, _ driver: QEMUDriver) {
        let registry = driver.registry
        table.onChange(RemoteProgram.DomainCreate.self) { arguments, caller in
            try await registry.actor(arguments.dom).create(flags: 0, "virDomainCreate", caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainCreateWithFlags.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.create(flags: arguments.flags, "virDomainCreateWithFlags", caller.client)
            return .init(dom: try registry.snapshot(arguments.dom).handle)
        }
        table.onChange(RemoteProgram.DomainCreateXml.self) { arguments, caller in
            .init(dom: try await driver.createTransient(arguments.xmlDesc, flags: arguments.flags, caller.client))
        }
    }

    private static func installStates(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainSuspend.self) { arguments, caller in
            try await registry.actor(arguments.dom).suspend(caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainResume.self) { arguments, caller in
            try await registry.actor(arguments.dom).resume(caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainReset.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainReset")
            try await registry.actor(arguments.dom).reset(caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainReboot.self) { arguments, caller in
            try await registry.actor(arguments.dom).reboot(flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainPmSuspendForDuration.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainPMSuspendForDuration")
            throw AgentRules.refusal(try registry.snapshot(arguments.dom))
        }
        table.onChange(RemoteProgram.DomainPmWakeup.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainPMWakeup")
            try await registry.actor(arguments.dom).wakeup(caller.client)
            return .init()
        }
    }

    private static func installEnds(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainShutdown.self) { arguments, caller in
            try await registry.actor(arguments.dom).shutdown(flags: 0, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainShutdownFlags.self) { arguments, caller in
            try await registry.actor(arguments.dom).shutdown(flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainDestroy.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.destroy(graceful: false, api: "virDomainDestroy", client: caller.client.id)
            return .init()
        }
        table.onChange(RemoteProgram.DomainDestroyFlags.self) { arguments, caller in
            try arguments.flags.checkFlags(3, "qemuDomainDestroyFlags")
            let actor = try registry.actor(arguments.dom)
            try await actor.destroy(
                graceful: arguments.flags & 1 != 0, api: "virDomainDestroyFlags", client: caller.client.id)
            return .init()
        }
    }
}
