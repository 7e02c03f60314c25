package import VirtCore
package import VirtDaemon
package import VirtOS
package import VirtRPC
import VirtWire

/// virtlockd: holds the locks of guests' disks, so that no two guests write to one.
package struct LockDaemon: DaemonDriver {
    package static let description = DaemonDescription(
        name: "virtlockd", title: "libvirt lock management daemon", hasReadOnlySocket: false, configKind: .lock,
        makeDriver: { LockDaemon($0) })

    private let store: LockStore
    private let stored: [Activation.Passed]
    private let remains: JSONObject?

    init(_ context: DaemonContext) {
        stored = context.storedDescriptors
        remains = context.remains
        store = LockStore(loop: context.loops.next(), inhibitor: context.inhibitor, notify: context.notify)
    }

    package func handlerTables() -> [HandlerTable] {
        var table = HandlerTable(LockProgram.description)
        let store = store
        table.onAsync(LockProgram.Register.self) { arguments, caller in
            try Self.check(arguments.flags, "Register")
            try await store.register(arguments.owner, caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.Restrict.self) { arguments, caller in
            try Self.check(arguments.flags, "Restrict")
            try await store.restrict(caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.New.self) { arguments, caller in
            try Self.check(arguments.flags, "New")
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
            try check(arguments.flags, "CreateResource")
            try await store.create(arguments.name, in: arguments.path, caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.DeleteResource.self) { arguments, caller in
            try check(arguments.flags, "DeleteResource")
            try await store.delete(arguments.name, in: arguments.path, caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.AcquireResource.self) { arguments, caller in
            try check(arguments.flags, known: .known, "AcquireResource")
            let flags = LockResource.Flags(rawValue: arguments.flags)
            try await store.acquire(arguments.name, in: arguments.path, flags: flags, caller.client)
            return XDRVoid()
        }
        table.onAsync(LockProgram.ReleaseResource.self) { arguments, caller in
            try check(arguments.flags, "ReleaseResource")
            try await store.release(arguments.name, in: arguments.path, caller.client)
            return XDRVoid()
        }
    }

    private static func check(
        _ flags: UInt32, known: LockResource.Flags = [], _ procedure: String
    ) throws(VirtError) {
        let unknown = flags & ~known.rawValue
        guard unknown == 0 else {
            throw VirtError(
                code: .invalidArg, domain: .rpc,
                verbatim: "unsupported flags (0x\(String(unknown, radix: 16))) in function "
                    + "virLockSpaceProtocolDispatch\(procedure)")
        }
    }

    package func start() async throws {
        if let remains { await store.takeUp(remains) }
    }

    package func storedClients() async -> [(socket: DescriptorBox, privateData: JSONObject)] {
        await store.takeUp(stored)
    }

    package func adopt(_ client: ClientHandle, _ privateData: JSONObject) async throws {
        try await store.adopt(client, privateData)
    }

    package func serve() async { await store.watchOwners() }
    package func privateData(of client: ClientHandle) async -> JSONObject { await store.privateData(of: client) }
    package func prepareReplacement() async throws -> DriverRemains? { await store.remains() }
    package func abandonReplacement() async { await store.goOn() }
    package func leaveClients() async -> Set<UInt64> { await store.leave() }
    package func reload() async {}
    package func stop() async {}
}
