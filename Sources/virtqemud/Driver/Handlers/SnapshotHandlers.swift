import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// The snapshots that a domain has on disk. They are listed; making, reverting to and deleting them is
/// not supported.
enum SnapshotHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installLists(into: &table, driver)
        installLookups(into: &table, driver)
    }

    /// The names of a domain's snapshots: one file for each.
    private static func names(_ directory: String, _ domain: DomainSnapshot) async throws -> [String] {
        let path = directory + "/" + domain.name
        return try await BlockingPool.shared.run {
            guard FileSystem.isDirectory(path) else { return [] }
            return try FileSystem.names(in: path).filter { $0.hasSuffix(".xml") }.map { String($0.dropLast(4)) }
                .sorted()
        }
    }

    private static func installLists(into table: inout HandlerTable, _ driver: QEMUDriver) {
        let (registry, paths) = (driver.registry, driver.paths)
        table.onAsync(RemoteProgram.DomainSnapshotNum.self) { arguments, _ in
            let names = try await names(paths.snapshot, registry.snapshot(arguments.dom))
            return .init(num: Int32(clamping: names.count))
        }
        table.onAsync(RemoteProgram.DomainSnapshotListNames.self) { arguments, _ in
            let names = try await names(paths.snapshot, registry.snapshot(arguments.dom))
            return .init(names: Array(names.prefix(Int(max(0, arguments.maxnames)))))
        }
        table.onAsync(RemoteProgram.DomainListAllSnapshots.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.dom)
            let names = try await names(paths.snapshot, domain)
            let list = names.map { RemoteNonnullDomainSnapshot(name: $0, dom: domain.handle) }
            return .init(snapshots: arguments.needResults != 0 ? list : [], ret: Int32(clamping: list.count))
        }
    }

    private static func installLookups(into table: inout HandlerTable, _ driver: QEMUDriver) {
        let (registry, paths) = (driver.registry, driver.paths)
        table.onAsync(RemoteProgram.DomainSnapshotLookupByName.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.dom)
            guard try await names(paths.snapshot, domain).contains(arguments.name) else {
                throw VirtError(
                    .noDomainSnapshot, .qemu, "no domain snapshot with matching name '\(arguments.name)'")
            }
            return .init(snap: .init(name: arguments.name, dom: domain.handle))
        }
        table.on(RemoteProgram.DomainHasCurrentSnapshot.self) { arguments, _ in
            _ = try registry.snapshot(arguments.dom)
            return .init(result: 0)
        }
        table.on(RemoteProgram.DomainSnapshotCurrent.self) { arguments, _ in
            _ = try registry.snapshot(arguments.dom)
            throw VirtError(.noDomainSnapshot, .qemu, "the domain does not have a current snapshot")
        }
    }
}
