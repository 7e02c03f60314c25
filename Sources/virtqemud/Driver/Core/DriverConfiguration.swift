import Glibc
import VirtCore
import VirtOS

/// The settings of qemu.conf that this driver follows, with libvirt's defaults.
struct DriverConfiguration: Sendable {
    var uid: uid_t = 0
    var gid: gid_t = 0
    var groups: [gid_t] = []
    /// Who swtpm runs as.
    var swtpmUser: uid_t = 0
    var swtpmGroup: gid_t = 0
    var virtiofsdDebug = false
    var vncListen = "127.0.0.1"
    var vncAutoUnixSocket = false
    var vncPassword: String?
    var spiceListen = "127.0.0.1"
    var spiceAutoUnixSocket = false
    var spicePassword: String?
    var displayPorts: ClosedRange<Int32> = 5900...65535
    var websocketPorts: ClosedRange<Int32> = 5700...65535
    var dynamicOwnership = true
    var rememberOwner = true
    var autoStartBypassCache = false
    var setProcessName = true
    var maxProcesses: UInt32 = 0
    var maxFiles: UInt32 = 0
    var maxCore: UInt64 = 0
    var dumpGuestCore = false
    var logTimestamp = true
    /// Whether virtlogd keeps the guests' output; else QEMU writes the file itself.
    var usesLogDaemon = true
    var sandbox: Int32 = -1
    var locks = LockManager.none
    /// What host-wide names and paths the security driver list has: "dac" is always there for root.
    var securityDrivers: [String] = []
    var capabilityFilters: [String] = []
    /// The controllers of `cgroup_controllers`; nil: whatever the host has.
    var cgroupControllers: [String]?

    init() {}

    /// Reads the settings; throws libvirt's error for a value of a wrong type or out of range.
    ///
    /// - Parameter lockFile: qemu-lockd.conf, if it is asked for.
    init(
        _ file: ConfigFile, isSession: Bool, lockFile: () throws(VirtError) -> ConfigFile = { .empty(name: "") }
    ) throws(VirtError) {
        locks = try LockManager(name: try file.string("lock_manager"), configuration: lockFile)
        try readDisplays(file)
        try readLimits(file)
        if let list = try file.strings("security_driver", orSingle: true) { securityDrivers = list }
        if let list = try file.strings("capability_filters") { capabilityFilters = list }
        cgroupControllers = try file.strings("cgroup_controllers")
        virtiofsdDebug = try file.bool("virtiofsd_debug") ?? virtiofsdDebug
        if isSession {
            uid = getuid()
            gid = getgid()
            dynamicOwnership = false
            rememberOwner = false
            return
        }
        try readUser(file)
    }

    private mutating func readDisplays(_ file: ConfigFile) throws(VirtError) {
        vncListen = try file.string("vnc_listen") ?? vncListen
        vncAutoUnixSocket = try file.bool("vnc_auto_unix_socket") ?? vncAutoUnixSocket
        vncPassword = try file.string("vnc_password")
        spiceListen = try file.string("spice_listen") ?? spiceListen
        spiceAutoUnixSocket = try file.bool("spice_auto_unix_socket") ?? spiceAutoUnixSocket
        spicePassword = try file.string("spice_password")
        displayPorts = try range(file, "remote_display_port", lowest: 5900, displayPorts)
        websocketPorts = try range(file, "remote_websocket_port", lowest: 5700, websocketPorts)
    }

    private mutating func readLimits(_ file: ConfigFile) throws(VirtError) {
        dynamicOwnership = try file.bool("dynamic_ownership") ?? dynamicOwnership
        rememberOwner = try file.bool("remember_owner") ?? rememberOwner
        autoStartBypassCache = try file.bool("auto_start_bypass_cache") ?? autoStartBypassCache
        setProcessName = try file.bool("set_process_name") ?? setProcessName
        maxProcesses = try file.uint("max_processes") ?? maxProcesses
        maxFiles = try file.uint("max_files") ?? maxFiles
        dumpGuestCore = try file.bool("dump_guest_core") ?? dumpGuestCore
        logTimestamp = try file.bool("log_timestamp") ?? logTimestamp
        sandbox = try file.int("seccomp_sandbox") ?? sandbox
        if case .string(let text)? = file.entry("max_core")?.value {
            guard text == "unlimited" else {
                throw VirtError(.confSyntax, .conf, "Unknown core size '\(text)'")
            }
            maxCore = .max
        } else {
            maxCore = try file.uint("max_core", as: UInt64.self) ?? maxCore
        }
        switch try file.string("stdio_handler") {
        case nil, "logd": usesLogDaemon = true
        case "file": usesLogDaemon = false
        case .some(let other): throw VirtError(.confSyntax, .conf, "Unknown stdio handler \(other)")
        }
    }

    private func range(
        _ file: ConfigFile, _ name: String, lowest: Int32, _ standard: ClosedRange<Int32>
    ) throws(VirtError) -> ClosedRange<Int32> {
        let minimum = try file.int(name + "_min") ?? standard.lowerBound
        let maximum = try file.int(name + "_max") ?? standard.upperBound
        guard minimum >= lowest else {
            throw VirtError(
                .internalError, .qemu,
                "\(file.name): \(name)_min: port must be greater than or equal to \(lowest)")
        }
        guard maximum <= 65535, maximum >= minimum else {
            throw VirtError(
                .internalError, .qemu,
                "\(file.name): \(name)_max: port must be between the minimal port and 65535")
        }
        return minimum...maximum
    }

    /// Who QEMU runs as: the configured user, else Debian's, else root.
    private mutating func readUser(_ file: ConfigFile) throws(VirtError) {
        if let name = try file.string("user") {
            uid = try Self.user(name)
        } else {
            uid = (try? Self.user("libvirt-qemu")) ?? 0
        }
        if let name = try file.string("group") {
            gid = try Self.group(name)
        } else {
            gid = (try? Self.group("libvirt-qemu")) ?? 0
        }
        groups = Self.groups(of: uid, gid)
        swtpmUser = try file.string("swtpm_user").map(Self.user) ?? (try? Self.user("tss")) ?? 0
        swtpmGroup = try file.string("swtpm_group").map(Self.group) ?? (try? Self.group("tss")) ?? 0
    }

    static func user(_ name: String) throws(VirtError) -> uid_t {
        if name.hasPrefix("+"), let number = uid_t(name.dropFirst()) { return number }
        if let entry = unsafe getpwnam(name) { return unsafe entry.pointee.pw_uid }
        if let number = uid_t(name) { return number }
        throw VirtError(.internalError, .none, "Failed to find user record for name '\(name)'")
    }

    static func group(_ name: String) throws(VirtError) -> gid_t {
        if name.hasPrefix("+"), let number = gid_t(name.dropFirst()) { return number }
        if let entry = unsafe getgrnam(name) { return unsafe entry.pointee.gr_gid }
        if let number = gid_t(name) { return number }
        throw VirtError(.internalError, .none, "Failed to find group record for name '\(name)'")
    }

    /// The groups that the user is in, for instance kvm.
    private static func groups(of uid: uid_t, _ gid: gid_t) -> [gid_t] {
        guard uid != 0, let entry = unsafe getpwuid(uid), let name = unsafe entry.pointee.pw_name else { return [gid] }
        var count: Int32 = 64
        var list = [gid_t](repeating: 0, count: Int(count))
        guard unsafe getgrouplist(name, gid, &list, &count) >= 0, count > 0 else { return [gid] }
        return Array(list.prefix(Int(count)))
    }
}
