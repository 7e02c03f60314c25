import VirtCore
import VirtWire

/// Something that happened to a domain, as clients are told of it.
struct DomainEvent: Sendable {
    /// The domain at the time of the event.
    let domain: RemoteNonnullDomain
    let kind: Kind

    /// What happened; the numbers behind the cases are those of virDomainEventID.
    enum Kind: Sendable {
        case lifecycle(Lifecycle)
        case reboot
        case rtcChange(offset: Int64)
        case watchdog(action: Int32)
        case ioError(path: String, alias: String, action: Int32, reason: String)
        case graphics(RemoteDomainEventGraphicsMsg)
        case controlError
        /// The path is the disk's file; nil for one that is not on this host.
        case blockJob(path: String?, target: String, type: Int32, status: Int32)
        case diskChange(old: String?, new: String?, alias: String, reason: Int32)
        case trayChange(alias: String, reason: Int32)
        case wakeup
        case suspendedToMemory
        case balloonChange(kibibytes: UInt64)
        case suspendedToDisk
        case deviceRemoved(alias: String)
        case tunable([TypedParameter])
        case agentLifecycle(state: Int32, reason: Int32)
        case deviceAdded(alias: String)
        case migrationIteration(Int32)
        case jobCompleted([TypedParameter])
        case deviceRemovalFailed(alias: String)
        case metadataChange(type: Int32, uri: String?)
        case blockThreshold(device: String, path: String?, threshold: UInt64, excess: UInt64)
        case memoryFailure(recipient: Int32, action: Int32, flags: UInt32)
        case memoryDeviceSizeChange(alias: String, size: UInt64)
        /// An event of QEMU itself, for those who registered with the qemu program.
        case monitor(name: String, seconds: Int64, microseconds: UInt32, details: String?)
    }

    /// The kinds and details of VIR_DOMAIN_EVENT_ID_LIFECYCLE.
    struct Lifecycle: Sendable, Equatable {
        let event: Int32
        let detail: Int32

        enum Defined: Int32, Sendable { case added = 0, updated, renamed, fromSnapshot }
        enum Undefined: Int32, Sendable { case removed = 0, renamed }
        enum Started: Int32, Sendable { case booted = 0, migrated, restored, fromSnapshot, wakeup }
        enum Suspended: Int32, Sendable {
            case paused = 0, migrated, ioError, watchdog, restored, fromSnapshot, apiError, postcopy, postcopyFailed
        }
        enum Resumed: Int32, Sendable { case unpaused = 0, migrated, fromSnapshot, postcopy, postcopyFailed }
        enum Stopped: Int32, Sendable {
            case shutdown = 0, destroyed, crashed, migrated, saved, failed, fromSnapshot
        }
        enum Shutdown: Int32, Sendable { case finished = 0, guest, host }
        enum Suspend: Int32, Sendable { case memory = 0, disk }
        enum Crashed: Int32, Sendable { case panicked = 0, crashloaded }

        static func defined(_ detail: Defined) -> Lifecycle { Lifecycle(event: 0, detail: detail.rawValue) }
        static func undefined(_ detail: Undefined) -> Lifecycle { Lifecycle(event: 1, detail: detail.rawValue) }
        static func started(_ detail: Started) -> Lifecycle { Lifecycle(event: 2, detail: detail.rawValue) }
        static func suspended(_ detail: Suspended) -> Lifecycle { Lifecycle(event: 3, detail: detail.rawValue) }
        static func resumed(_ detail: Resumed) -> Lifecycle { Lifecycle(event: 4, detail: detail.rawValue) }
        static func stopped(_ detail: Stopped) -> Lifecycle { Lifecycle(event: 5, detail: detail.rawValue) }
        static func shutdown(_ detail: Shutdown) -> Lifecycle { Lifecycle(event: 6, detail: detail.rawValue) }
        static func powerSuspended(_ detail: Suspend) -> Lifecycle { Lifecycle(event: 7, detail: detail.rawValue) }
        static func crashed(_ detail: Crashed) -> Lifecycle { Lifecycle(event: 8, detail: detail.rawValue) }
    }
}
