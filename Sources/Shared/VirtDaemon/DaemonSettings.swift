import Glibc
package import VirtCore
package import VirtRPC

/// Which keys a daemon's configuration file has.
package enum ConfigKind: Sendable {
    /// virtqemud.conf and those of the other drivers.
    case driver
    /// virtproxyd.conf: the driver's keys and those of TCP and TLS.
    case proxy
    /// virtlogd.conf
    case log
    /// virtlockd.conf
    case lock
}

/// A daemon's configuration with libvirt's defaults filled in.
package struct DaemonSettings: Sendable {
    package var log = LogSettings()
    /// The main server's bounds.
    package var limits = ServerLimits()
    /// The admin server's.
    package var adminLimits = ServerLimits(maxClients: 5000, maxAnonymousClients: 0, maxClientRequests: 5)
    package var workers = WorkerNumbers(minimum: 5, maximum: 20, priority: 5)
    package var adminWorkers = WorkerNumbers(minimum: 5, maximum: 20, priority: 0)
    package var readWrite = SocketSettings(mode: 0o777, authentication: .polkit)
    package var readOnly = SocketSettings(mode: 0o777, authentication: .polkit)
    package var adminMode: UInt32 = 0o700
    package var socketGroup: UInt32?
    /// Instead of /run/libvirt.
    package var socketDirectory: String?
    package var hostUUID: UUID?
    package var isHostUUIDFromMachineID = false

    /// log_level, log_filters, log_outputs; nil: not set.
    package struct LogSettings: Sendable {
        package var level: LogLevel?
        package var filters: String?
        package var outputs: String?
    }

    package struct SocketSettings: Sendable {
        package var mode: UInt32
        package var authentication: Authentication
    }
}

/// The sizes of libvirt's thread pools, which clients read and set; here they bound nothing.
package struct WorkerNumbers: Sendable, Equatable {
    package var minimum: UInt32
    package var maximum: UInt32
    package var priority: UInt32
    /// How many there seem to be.
    package private(set) var current: UInt32

    package init(minimum: UInt32, maximum: UInt32, priority: UInt32) {
        self.minimum = minimum
        self.maximum = maximum
        self.priority = priority
        current = minimum
    }

    /// After a change of the bounds: none ends or starts without need.
    mutating func adjust() { current = min(max(current, minimum), maximum) }
}

extension DaemonSettings {
    /// Reads a daemon's settings.
    ///
    /// Returns warnings for keys that the daemon doesn't know. Throws for syntax errors, wrong types, unknown words.
    package static func read(
        _ file: ConfigFile, kind: ConfigKind, isPrivileged: Bool
    ) throws(VirtError) -> (settings: DaemonSettings, warnings: [String]) {
        let warnings = try file.check(ConfigSchema.daemon(kind))
        var settings = DaemonSettings()
        try settings.readLogging(file)
        switch kind {
        case .driver, .proxy:
            try settings.readServers(file)
            try settings.readSockets(file, isPrivileged: isPrivileged)
            try settings.readHost(file)
        case .log, .lock:
            let clients = Int(try file.uint("max_clients") ?? 1024)
            settings.limits = ServerLimits(
                maxClients: clients, maxAnonymousClients: clients, maxClientRequests: 1, keepaliveInterval: -1,
                keepaliveCount: 0)
            settings.adminLimits.keepaliveInterval = -1
            settings.adminLimits.keepaliveCount = 0
            settings.adminLimits.maxClients = Int(try file.uint("admin_max_clients") ?? 5000)
            settings.adminLimits.maxAnonymousClients = settings.adminLimits.maxClients
            settings.workers = WorkerNumbers(minimum: 0, maximum: 0, priority: 0)
            settings.adminWorkers = settings.workers
            settings.readWrite = SocketSettings(mode: 0o700, authentication: .none)
        }
        return (settings, warnings)
    }

    private mutating func readLogging(_ file: ConfigFile) throws(VirtError) {
        if let number = try file.uint("log_level"), number > 0 {
            guard let level = LogLevel(rawValue: Int32(truncatingIfNeeded: number)), number <= 4 else {
                throw VirtError(
                    .invalidArg, .none, "Failed to set logging priority, argument '\(number)' is invalid")
            }
            log.level = level
        }
        log.filters = try file.string("log_filters")
        log.outputs = try file.string("log_outputs")
    }

    private mutating func readServers(_ file: ConfigFile) throws(VirtError) {
        limits = try Self.limits(file, prefix: "", limits)
        adminLimits = try Self.limits(file, prefix: "admin_", adminLimits)
        limits.maxAnonymousClients = Int(try file.uint("max_anonymous_clients") ?? 20)
        workers.minimum = try file.uint("min_workers") ?? 5
        workers.maximum = try file.uint("max_workers") ?? 20
        workers.priority = try file.uint("prio_workers") ?? 5
        adminWorkers.minimum = try file.uint("admin_min_workers") ?? 5
        adminWorkers.maximum = try file.uint("admin_max_workers") ?? 20
        workers.adjust()
        adminWorkers.adjust()
    }

    private static func limits(
        _ file: ConfigFile, prefix: String, _ defaults: ServerLimits
    ) throws(VirtError) -> ServerLimits {
        var limits = defaults
        limits.maxClients = Int(try file.uint(prefix + "max_clients") ?? 5000)
        limits.maxClientRequests = Int(try file.uint(prefix + "max_client_requests") ?? 5)
        limits.keepaliveInterval = try file.int(prefix + "keepalive_interval") ?? 5
        limits.keepaliveCount = try file.uint(prefix + "keepalive_count") ?? 5
        return limits
    }

    private mutating func readSockets(_ file: ConfigFile, isPrivileged: Bool) throws(VirtError) {
        // To serve without the checks that the administrator asked for would be worse than not to serve.
        if let driver = try file.strings("access_drivers", orSingle: true)?.first(where: { $0 != "none" }) {
            throw VirtError(.configUnsupported, .conf, "\(file.name): access driver '\(driver)' is not supported")
        }
        let standard: Authentication = isPrivileged ? .polkit : .none
        readWrite.authentication = try Self.authentication(file, "auth_unix_rw") ?? standard
        readOnly.authentication = try Self.authentication(file, "auth_unix_ro") ?? standard
        let mode: UInt32 = readWrite.authentication == .polkit ? 0o777 : 0o700
        readWrite.mode = try Self.mode(file, "unix_sock_rw_perms") ?? mode
        readOnly.mode = try Self.mode(file, "unix_sock_ro_perms") ?? 0o777
        adminMode = try Self.mode(file, "unix_sock_admin_perms") ?? 0o700
        socketDirectory = try file.string("unix_sock_dir")
        if let group = try file.string("unix_sock_group") { socketGroup = try Self.group(group) }
    }

    private mutating func readHost(_ file: ConfigFile) throws(VirtError) {
        if let text = try file.string("host_uuid"), !text.isEmpty {
            guard let uuid = UUID(parsing: text), uuid.isPlausible else {
                throw VirtError(.internalError, .conf, "\(file.name): Failed to parse host UUID '\(text)'")
            }
            hostUUID = uuid
        }
        let source = try file.string("host_uuid_source") ?? "smbios"
        guard ["smbios", "machine-id"].contains(source) else {
            throw VirtError(.internalError, .conf, "\(file.name): invalid UUID source: \(source)")
        }
        isHostUUIDFromMachineID = source == "machine-id"
    }

    private static func authentication(_ file: ConfigFile, _ key: String) throws(VirtError) -> Authentication? {
        switch try file.string(key) {
        case nil: return nil
        case "none": return Authentication.none
        case "polkit": return .polkit
        case "sasl": return .sasl
        case .some(let word):
            throw VirtError(.confSyntax, .conf, "\(file.name): \(key): unsupported auth \(word)")
        }
    }

    /// A file mode in octal digits; nil: not set.
    package static func mode(_ file: ConfigFile, _ key: String) throws(VirtError) -> UInt32? {
        guard let text = try file.string(key) else { return nil }
        guard let mode = UInt32(text, radix: 8), mode <= 0o7777 else {
            throw VirtError(.internalError, .conf, "\(file.name): Failed to parse mode '\(text)'")
        }
        return mode
    }

    /// The number of a group that goes by name or number.
    package static func group(_ name: String) throws(VirtError) -> UInt32 {
        if let entry = unsafe getgrnam(name) { return unsafe entry.pointee.gr_gid }
        if let number = UInt32(name) { return number }
        throw VirtError(.systemError, .none, "Failed to find group record for name '\(name)'")
    }
}
