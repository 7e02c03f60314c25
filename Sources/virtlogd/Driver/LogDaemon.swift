import VirtCore
package import VirtDaemon
import VirtOS
package import VirtRPC
import VirtWire

/// virtlogd: holds the other ends of the guests' output pipes, so that guests outlive the daemon that started them
/// without losing a byte, and rotates their logs.
package struct LogDaemon: DaemonDriver {
    package static let description = DaemonDescription(
        name: "virtlogd", title: "libvirt log management daemon", hasReadOnlySocket: false, configKind: .log,
        makeDriver: { context in try LogDaemon(context) })

    private let store: LogStore
    private let settings: LogSettings
    private let stored: [Activation.Passed]
    private let remains: JSONObject?

    init(_ context: DaemonContext) throws(VirtError) {
        settings = try LogSettings(context.config, context.paths)
        store = try LogStore(context, settings: settings)
        stored = context.storedDescriptors
        remains = context.remains
    }

    package func handlerTables() -> [HandlerTable] {
        var table = HandlerTable(LogProgram.description)
        let (store, backups) = (store, settings.rotation.backups)
        table.onDescriptors(LogProgram.DomainOpenLogFile.self) { arguments, _ in
            let (position, pipe) = try await store.open(arguments)
            return (LogDomainOpenLogFileRet(pos: position), [pipe])
        }
        table.onAsync(LogProgram.DomainGetLogFilePosition.self) { arguments, _ in
            LogDomainGetLogFilePositionRet(pos: try await store.position(arguments.path, flags: arguments.flags))
        }
        table.onAsync(LogProgram.DomainReadLogFile.self) { arguments, _ in
            guard arguments.flags == 0 else { throw LogStore.unsupported(arguments.flags) }
            guard arguments.maxlen <= UInt64(LogReader.longest) else {
                throw VirtError(
                    .internalError, .none,
                    "Requested data len \(arguments.maxlen) is larger than maximum \(LogReader.longest)")
            }
            let count = Int(arguments.maxlen)
            let reader = LogReader(path: arguments.path, backups: backups)
            let bytes = try await BlockingPool.shared.run {
                try reader.read(inode: arguments.pos.inode, offset: arguments.pos.offset, count: count)
            }
            return LogDomainReadLogFileRet(data: bytes)
        }
        table.onAsync(LogProgram.DomainAppendLogFile.self) { arguments, _ in
            try await store.append(arguments)
            return LogDomainAppendLogFileRet(ret: 0)
        }
        return [table]
    }

    package func start() async throws {
        if let remains { await store.takeUp(remains) }
        for (log, pipe) in StoredLog.restore(stored) { await store.takeUp(log, pipe) }
        if settings.maximumAge > 0 {
            await store.watchAge(LogAge(root: settings.root, days: settings.maximumAge))
        }
    }
    package func prepareReplacement() async throws -> DriverRemains? { try await store.remains() }
    package func abandonReplacement() async { await store.goOn() }
    package func reload() async {}
    package func stop() async {}
}
