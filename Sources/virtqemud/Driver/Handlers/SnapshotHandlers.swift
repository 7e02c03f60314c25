import VirtCore
import VirtModel
import VirtRPC
import VirtWire
import VirtXML

/// Snapshots of domains. What only asks is answered from the published snapshot of the domain.
enum SnapshotHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        installCounts(into: &table, registry)
        installLists(into: &table, registry)
        installLookups(into: &table, registry)
        installFacts(into: &table, registry)
        installChanges(into: &table, registry)
    }

    /// Flag 1 asks for roots where a list has no starting point, for descendants where it has one.
    private static func names(
        _ domain: DomainSnapshot, from start: String?, _ flags: UInt32, _ function: String
    ) throws(VirtError) -> [String] {
        try flags.checkFlags(SnapshotFilter.known, function)
        if let start { _ = try domain.snapshots.find(start) }
        return SnapshotFilter(flags).names(domain.snapshots, from: start)
    }

    private static func installCounts(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainSnapshotNum.self) { arguments, _ in
            let found = try names(
                registry.snapshot(arguments.dom), from: nil, arguments.flags, "qemuDomainSnapshotNum")
            return .init(num: Int32(clamping: found.count))
        }
        table.on(RemoteProgram.DomainSnapshotNumChildren.self) { arguments, _ in
            let found = try names(
                registry.snapshot(arguments.snap.dom), from: arguments.snap.name, arguments.flags,
                "qemuDomainSnapshotNumChildren")
            return .init(num: Int32(clamping: found.count))
        }
        table.on(RemoteProgram.DomainSnapshotListNames.self) { arguments, _ in
            let found = try names(
                registry.snapshot(arguments.dom), from: nil, arguments.flags, "qemuDomainSnapshotListNames")
            return .init(names: Array(found.prefix(Int(max(0, arguments.maxnames)))))
        }
        table.on(RemoteProgram.DomainSnapshotListChildrenNames.self) { arguments, _ in
            let found = try names(
                registry.snapshot(arguments.snap.dom), from: arguments.snap.name, arguments.flags,
                "qemuDomainSnapshotListChildrenNames")
            return .init(names: Array(found.prefix(Int(max(0, arguments.maxnames)))))
        }
    }

    private static func installLists(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainListAllSnapshots.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.dom)
            let found = try names(domain, from: nil, arguments.flags, "qemuDomainListAllSnapshots")
            let list = found.map { RemoteNonnullDomainSnapshot(name: $0, dom: domain.handle) }
            return .init(snapshots: arguments.needResults != 0 ? list : [], ret: Int32(clamping: list.count))
        }
        table.on(RemoteProgram.DomainSnapshotListAllChildren.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.snapshot.dom)
            let found = try names(
                domain, from: arguments.snapshot.name, arguments.flags, "qemuDomainSnapshotListAllChildren")
            let list = found.map { RemoteNonnullDomainSnapshot(name: $0, dom: domain.handle) }
            return .init(snapshots: arguments.needResults != 0 ? list : [], ret: Int32(clamping: list.count))
        }
    }

    private static func installLookups(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainSnapshotLookupByName.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainSnapshotLookupByName")
            let domain = try registry.snapshot(arguments.dom)
            return .init(snap: .init(name: try domain.snapshots.find(arguments.name).name, dom: domain.handle))
        }
        table.on(RemoteProgram.DomainSnapshotCurrent.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainSnapshotCurrent")
            let domain = try registry.snapshot(arguments.dom)
            guard let name = domain.snapshots.current else {
                throw VirtError(.noDomainSnapshot, .qemu, "the domain does not have a current snapshot")
            }
            return .init(snap: .init(name: name, dom: domain.handle))
        }
        table.on(RemoteProgram.DomainSnapshotGetParent.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainSnapshotGetParent")
            let domain = try registry.snapshot(arguments.snap.dom)
            let snapshot = try domain.snapshots.find(arguments.snap.name)
            guard let parent = snapshot.parent else {
                throw VirtError(
                    .noDomainSnapshot, .qemu, "snapshot '\(snapshot.name)' does not have a parent")
            }
            return .init(snap: .init(name: parent, dom: domain.handle))
        }
    }

    private static func installFacts(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainHasCurrentSnapshot.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainHasCurrentSnapshot")
            return .init(result: try registry.snapshot(arguments.dom).snapshots.current == nil ? 0 : 1)
        }
        table.on(RemoteProgram.DomainSnapshotIsCurrent.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainSnapshotIsCurrent")
            let tree = try registry.snapshot(arguments.snap.dom).snapshots
            return .init(current: try tree.find(arguments.snap.name).name == tree.current ? 1 : 0)
        }
        table.on(RemoteProgram.DomainSnapshotHasMetadata.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainSnapshotHasMetadata")
            _ = try registry.snapshot(arguments.snap.dom).snapshots.find(arguments.snap.name)
            return .init(metadata: 1)
        }
        table.on(RemoteProgram.DomainSnapshotGetXmlDesc.self) { arguments, _ in
            try arguments.flags.checkFlags(1, "qemuDomainSnapshotGetXMLDesc")
            var snapshot = try registry.snapshot(arguments.snap.dom).snapshots.find(arguments.snap.name)
            snapshot.isActive = nil
            return .init(xml: try snapshot.format(arguments.flags & 1 != 0 ? .secure : []))
        }
    }

    private static func installChanges(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainSnapshotCreateXml.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            let name = try await actor.createSnapshot(arguments.xmlDesc, flags: arguments.flags, caller.client)
            return .init(snap: .init(name: name, dom: try registry.snapshot(arguments.dom).handle))
        }
        table.onAsync(RemoteProgram.DomainRevertToSnapshot.self) { arguments, caller in
            let actor = try registry.actor(arguments.snap.dom)
            try await actor.revert(to: arguments.snap.name, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainSnapshotDelete.self) { arguments, caller in
            let actor = try registry.actor(arguments.snap.dom)
            try await actor.deleteSnapshot(arguments.snap.name, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}
