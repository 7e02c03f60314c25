import VirtCore
import VirtRPC
import VirtWire

/// Attaching, detaching and updating devices.
enum DeviceHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onAsync(RemoteProgram.DomainAttachDevice.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.attachDevice(arguments.xml, flags: ModificationImpact.liveFlag, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainAttachDeviceFlags.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.attachDevice(arguments.xml, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainDetachDevice.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.detachDevice(arguments.xml, flags: ModificationImpact.liveFlag, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainDetachDeviceFlags.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.detachDevice(arguments.xml, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainDetachDeviceAlias.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.detachDevice(alias: arguments.alias, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainUpdateDeviceFlags.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.updateDevice(arguments.xml, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainFdAssociate.self) { arguments, caller in
            guard !caller.descriptors.isEmpty else {
                throw VirtError(.invalidArg, .domain, "nfds in virDomainFDAssociate must not be zero")
            }
            let actor = try registry.actor(arguments.dom)
            try await actor.associate(arguments.name, caller.descriptors, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}
