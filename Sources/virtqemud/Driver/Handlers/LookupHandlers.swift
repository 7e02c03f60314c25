import VirtCore
import VirtRPC
import VirtWire

/// Finding and listing domains: answered from snapshots.
enum LookupHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installLookups(into: &table, driver.registry)
        installLists(into: &table, driver.registry)
        installProperties(into: &table, driver.registry)
    }

    private static func installLookups(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainLookupById.self) { arguments, _ in
            .init(dom: try registry.snapshot(id: arguments.id).handle)
        }
        table.on(RemoteProgram.DomainLookupByUuid.self) { arguments, _ in
            .init(dom: try registry.snapshot(arguments.uuid).handle)
        }
        table.on(RemoteProgram.DomainLookupByName.self) { arguments, _ in
            .init(dom: try registry.snapshot(named: arguments.name).handle)
        }
    }

    private static func installLists(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.ConnectListAllDomains.self) { arguments, _ in
            try arguments.flags.checkFlags(DomainFilter.known, "qemuConnectListAllDomains")
            let handles = registry.handles(arguments.flags)
            return .init(
                domains: arguments.needResults != 0 ? handles : [], ret: UInt32(clamping: handles.count))
        }
        table.on(RemoteProgram.ConnectListDomains.self) { arguments, _ in
            .init(ids: Array(registry.activeIDs.prefix(Int(max(0, arguments.maxids)))))
        }
        table.on(RemoteProgram.ConnectNumOfDomains.self) { _, _ in
            .init(num: Int32(clamping: registry.activeCount))
        }
        table.on(RemoteProgram.ConnectListDefinedDomains.self) { arguments, _ in
            let names = registry.all.lazy.filter { !$0.isActive }.map(\.name)
            return .init(names: Array(names.prefix(Int(max(0, arguments.maxnames)))))
        }
        table.on(RemoteProgram.ConnectNumOfDefinedDomains.self) { _, _ in
            .init(num: Int32(clamping: registry.count - registry.activeCount))
        }
    }

    private static func installProperties(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainIsActive.self) { arguments, _ in
            .init(active: try registry.snapshot(arguments.dom).isActive ? 1 : 0)
        }
        table.on(RemoteProgram.DomainIsPersistent.self) { arguments, _ in
            .init(persistent: try registry.snapshot(arguments.dom).isPersistent ? 1 : 0)
        }
        table.on(RemoteProgram.DomainIsUpdated.self) { arguments, _ in
            // libvirt's QEMU driver never says so.
            _ = try registry.snapshot(arguments.dom)
            return .init(updated: 0)
        }
        table.on(RemoteProgram.DomainGetAutostart.self) { arguments, _ in
            .init(autostart: try registry.snapshot(arguments.dom).hasAutostart ? 1 : 0)
        }
        table.on(RemoteProgram.DomainHasManagedSaveImage.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainHasManagedSaveImage")
            return .init(result: try registry.snapshot(arguments.dom).hasManagedSave ? 1 : 0)
        }
    }
}
