import VirtCore
import VirtRPC
import VirtWire

/// Definitions: making, changing and removing them.
enum DefinitionHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onChange(RemoteProgram.DomainDefineXml.self) { arguments, _ in
            .init(dom: try await driver.define(arguments.xml, flags: 0))
        }
        table.onChange(RemoteProgram.DomainDefineXmlFlags.self) { arguments, _ in
            try arguments.flags.checkFlags(1, "qemuDomainDefineXMLFlags")
            return .init(dom: try await driver.define(arguments.xml, flags: arguments.flags))
        }
        table.onChange(RemoteProgram.DomainUndefine.self) { arguments, _ in
            try await registry.actor(arguments.dom).undefine(flags: 0)
            return .init()
        }
        table.onChange(RemoteProgram.DomainUndefineFlags.self) { arguments, _ in
            try await registry.actor(arguments.dom).undefine(flags: arguments.flags)
            return .init()
        }
        table.onChange(RemoteProgram.DomainSetAutostart.self) { arguments, _ in
            try await registry.actor(arguments.dom).setAutostart(arguments.autostart != 0)
            return .init()
        }
        table.onChange(RemoteProgram.DomainRename.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainRename")
            try await registry.actor(arguments.dom).rename(arguments.newName)
            return .init(retcode: 0)
        }
        table.onChange(RemoteProgram.DomainManagedSaveRemove.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainManagedSaveRemove")
            try await registry.actor(arguments.dom).removeManagedSave()
            return .init()
        }
    }
}
