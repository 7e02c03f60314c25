import VirtCore
package import VirtDaemon
package import VirtRPC
import VirtWire

/// virtlockd: holds the locks of guests' disks, so that no two guests write to one.
package struct LockDaemon: DaemonDriver {
    package static let description = DaemonDescription(
        name: "virtlockd", title: "libvirt lock management daemon", hasReadOnlySocket: false, configKind: .lock,
        makeDriver: { context in LockDaemon(store: LockStore(context)) })

    private let store: LockStore

    package func handlerTables() -> [HandlerTable] {
        var table = HandlerTable(LockProgram.description)
        let store = store
        table.onAsync(LockProgram.Register.self) { arguments, caller in
            try Self.check(arguments.flags)
            try await store.register(arguments.owner, caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.Restrict.self) { arguments, caller in
            try Self.check(arguments.flags)
            try await store.restrict(caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.New.self) { arguments, caller in
            try Self.check(arguments.flags)
            try await store.addSpace(arguments.path, caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.CreateLockspace.self) { arguments, caller in
            try await store.ensureSpace(arguments.path, caller.client)
            return XDRVoid()
        }
        Self.addResourceHandlers(to: &table, store)
        return [table]
    }

    private static func addResourceHandlers(to table: inout HandlerTable, _ store: LockStore) {
        table.onAsync(LockProgram.CreateResource.self) { arguments, caller in
            try check(arguments.flags)
            try await store.with(arguments.path, caller.client) { space, _ in try space.create(arguments.name) }
            return XDRVoid()
        }
        table.onAsync(LockProgram.DeleteResource.self) { arguments, caller in
            try check(arguments.flags)
            try await store.with(arguments.path, caller.client) { space, _ in try space.delete(arguments.name) }
            return XDRVoid()
        }
        table.onAsync(LockProgram.AcquireResource.self) { arguments, caller in
            try check(arguments.flags, known: 3)
            let flags = LockSpace.Flags(rawValue: arguments.flags)
            try await store.with(arguments.path, caller.client) { space, owner in
                try space.acquire(arguments.name, owner: owner, flags: flags)
            }
            return XDRVoid()
        }
        table.onAsync(LockProgram.ReleaseResource.self) { arguments, caller in
            try check(arguments.flags, known: 3)
            try await store.with(arguments.path, caller.client) { space, owner in
                try space.release(arguments.name, owner: owner)
            }
            return XDRVoid()
        }
    }

    private static func check(_ flags: UInt32, known: UInt32 = 0) throws(VirtError) {
        guard flags & ~known == 0 else {
            throw VirtError(.invalidArg, .locking, "unsupported flags (0x\(String(flags & ~known, radix: 16)))")
        }
    }

    package func start() async throws {}
    package func reload() async {}
    package func stop() async {}
}
