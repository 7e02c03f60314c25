import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// Guests in files: saving, restoring, dumping.
enum SaveHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installSaves(into: &table, driver)
        installRestores(into: &table, driver)
        installImages(into: &table, driver)
        installDumps(into: &table, driver.registry)
    }

    private static func installSaves(into table: inout HandlerTable, _ driver: QEMUDriver) {
        let registry = driver.registry
        table.onAsync(RemoteProgram.DomainSave.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.save(
                to: arguments.to, document: nil, flags: 0, isManaged: false, "virDomainSave", caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainSaveFlags.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.save(
                to: arguments.to, document: arguments.dxml, flags: arguments.flags, isManaged: false,
                "virDomainSaveFlags", caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainSaveParams.self) { arguments, caller in
            let (file, document) = try parameters(arguments.params)
            guard let file else { throw VirtError(.operationInvalid, .qemu, "missing save file path") }
            try await registry.actor(arguments.dom).save(
                to: file, document: document, flags: arguments.flags, isManaged: false, "virDomainSaveParams",
                caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainManagedSave.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            let path = driver.paths.managedSave(try registry.snapshot(arguments.dom).name)
            try await actor.save(
                to: path, document: nil, flags: arguments.flags, isManaged: true, "virDomainManagedSave",
                caller.client)
            return .init()
        }
    }

    /// VIR_DOMAIN_SAVE_PARAM_FILE and VIR_DOMAIN_SAVE_PARAM_DXML.
    private static func parameters(
        _ list: [TypedParameter]
    ) throws(VirtError) -> (file: String?, document: String?) {
        var (file, document): (String?, String?) = (nil, nil)
        for parameter in list {
            guard case .string(let text) = parameter.value else {
                throw VirtError(.invalidArg, .none, "invalid type for parameter '\(parameter.field)'")
            }
            switch parameter.field {
            case "file": file = text
            case "dxml": document = text
            default: throw VirtError(.argumentUnsupported, .none, "parameter '\(parameter.field)' not supported")
            }
        }
        return (file, document)
    }

    private static func installRestores(into table: inout HandlerTable, _ driver: QEMUDriver) {
        table.onAsync(RemoteProgram.DomainRestore.self) { arguments, caller in
            try await driver.restore(arguments.from, document: nil, flags: 0, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainRestoreParams.self) { arguments, caller in
            let (file, document) = try parameters(arguments.params)
            guard let file else { throw VirtError(.operationInvalid, .qemu, "missing path to restore from") }
            try await driver.restore(file, document: document, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainRestoreFlags.self) { arguments, caller in
            try await driver.restore(
                arguments.from, document: arguments.dxml, flags: arguments.flags, caller.client)
            return .init()
        }
    }

    private static func installImages(into table: inout HandlerTable, _ driver: QEMUDriver) {
        table.onAsync(RemoteProgram.DomainSaveImageGetXmlDesc.self) { arguments, _ in
            .init(xml: try await driver.savedDocument(arguments.file, flags: arguments.flags))
        }
        table.onAsync(RemoteProgram.DomainSaveImageDefineXml.self) { arguments, _ in
            try await driver.changeSaved(arguments.file, document: arguments.dxml, flags: arguments.flags)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainManagedSaveGetXmlDesc.self) { arguments, _ in
            let path = try managed(arguments.dom, driver)
            return .init(xml: try await driver.savedDocument(path, flags: arguments.flags))
        }
        table.onAsync(RemoteProgram.DomainManagedSaveDefineXml.self) { arguments, _ in
            let path = try managed(arguments.dom, driver)
            try await driver.changeSaved(path, document: arguments.dxml ?? "", flags: arguments.flags)
            return .init()
        }
    }

    /// The path of the managed image, which has to be there.
    private static func managed(_ domain: RemoteNonnullDomain, _ driver: QEMUDriver) throws -> String {
        let snapshot = try driver.registry.snapshot(domain)
        guard snapshot.hasManagedSave else {
            throw VirtError(.operationInvalid, .qemu, "domain does not have managed save image")
        }
        return driver.paths.managedSave(snapshot.name)
    }

    private static func installDumps(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainCoreDump.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.dump(
                to: arguments.to, format: 0, flags: arguments.flags, "virDomainCoreDump", caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainCoreDumpWithFormat.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.dump(
                to: arguments.to, format: arguments.dumpformat, flags: arguments.flags,
                "virDomainCoreDumpWithFormat", caller.client)
            return .init()
        }
    }
}
