import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Checkpoints: made, listed, looked at, and deleted.
enum CheckpointHandlers {
    /// virDomainCheckpointListFlags.
    private static let listFlags: UInt32 = 15

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installLists(into: &table, driver.registry)
        installChanges(into: &table, driver.registry)
    }

    private static func installLists(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainListAllCheckpoints.self) { arguments, _ in
            try arguments.flags.checkFlags(listFlags, "qemuDomainListAllCheckpoints")
            let domain = try registry.snapshot(arguments.dom)
            let names = domain.checkpoints.list(below: nil, flags: arguments.flags)
            let list = names.map { RemoteNonnullDomainCheckpoint(name: $0, dom: domain.handle) }
            return .init(checkpoints: arguments.needResults != 0 ? list : [], ret: Int32(clamping: list.count))
        }
        table.on(RemoteProgram.DomainCheckpointListAllChildren.self) { arguments, _ in
            try arguments.flags.checkFlags(listFlags, "qemuDomainCheckpointListAllChildren")
            let domain = try registry.snapshot(arguments.checkpoint.dom)
            _ = try domain.checkpoints.require(arguments.checkpoint.name)
            let names = domain.checkpoints.list(below: arguments.checkpoint.name, flags: arguments.flags)
            let list = names.map { RemoteNonnullDomainCheckpoint(name: $0, dom: domain.handle) }
            return .init(checkpoints: arguments.needResults != 0 ? list : [], ret: Int32(clamping: list.count))
        }
        table.on(RemoteProgram.DomainCheckpointLookupByName.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainCheckpointLookupByName")
            let domain = try registry.snapshot(arguments.dom)
            _ = try domain.checkpoints.require(arguments.name)
            return .init(checkpoint: .init(name: arguments.name, dom: domain.handle))
        }
        table.on(RemoteProgram.DomainCheckpointGetParent.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainCheckpointGetParent")
            let domain = try registry.snapshot(arguments.checkpoint.dom)
            let checkpoint = try domain.checkpoints.require(arguments.checkpoint.name)
            guard let parent = checkpoint.parent else {
                throw VirtError(
                    .noDomainCheckpoint, .qemu,
                    "checkpoint '\(arguments.checkpoint.name)' does not have a parent")
            }
            return .init(parent: .init(name: parent, dom: domain.handle))
        }
    }

    private static func installChanges(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainCheckpointCreateXml.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            let name = try await actor.createCheckpoint(
                arguments.xmlDesc, flags: arguments.flags, caller.client)
            return .init(checkpoint: .init(name: name, dom: arguments.dom))
        }
        table.onAsync(RemoteProgram.DomainCheckpointGetXmlDesc.self) { arguments, caller in
            let checkpoint = arguments.checkpoint
            return .init(
                xml: try await registry.actor(checkpoint.dom).checkpointDocument(
                    checkpoint.name, flags: arguments.flags, caller.client))
        }
        table.onChange(RemoteProgram.DomainCheckpointDelete.self) { arguments, caller in
            let checkpoint = arguments.checkpoint
            try await registry.actor(checkpoint.dom).deleteCheckpoint(
                checkpoint.name, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}
