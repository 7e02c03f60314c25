import VirtCore
import VirtDaemon

/// virtlogd.conf beyond what all daemons have.
struct LogSettings: Sendable, Equatable {
    var rotation = RotationPolicy()
    var access = LogFileAccess()
    var format = LogFormat.plain
    /// Days after which closed logs and old backups are removed ("max_age_days"); 0: never.
    var maximumAge: UInt64 = 0
    /// Where the drivers' directories of logs are ("log_root").
    var root: String

    /// How a guest's output is written ("log_format").
    enum LogFormat: String, Sendable {
        /// As the guest wrote it.
        case plain
        /// Each line an object with its time.
        case json
    }

    init(_ config: ConfigFile, _ paths: DaemonPaths) throws(VirtError) {
        if let size = try config.uint("max_size", as: UInt64.self) { rotation.size = size }
        if let backups = try config.uint("max_backups", as: UInt64.self) {
            rotation.backups = Int(clamping: min(backups, 1000))
        }
        access.mode = try DaemonSettings.mode(config, "log_file_mode")
        if let group = try config.string("log_file_group") { access.group = try DaemonSettings.group(group) }
        if let word = try config.string("log_format") {
            guard let format = LogFormat(rawValue: word) else {
                throw VirtError(.confSyntax, .conf, "\(config.name): log_format: '\(word)' is neither plain nor json")
            }
            self.format = format
        }
        maximumAge = try config.uint("max_age_days", as: UInt64.self) ?? 0
        root = paths.path(try config.string("log_root") ?? "")
        if root == paths.path("") { root = paths.varLogLibvirt }
    }
}

/// Who may read a guest's log, for programs that collect logs; nil: as the file is, 0600 when it is made.
struct LogFileAccess: Sendable, Equatable {
    var mode: UInt32?
    var group: UInt32?
}
