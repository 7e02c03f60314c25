import CLinux
import Glibc
package import VirtCore

extension ChildProcess {
    /// Starts the process. Blocks until the program runs, has failed to, or waits at its handshake: some milliseconds.
    ///
    /// Its end is noticed on `loop`; by default the caller's, or one that is shared for the purpose.
    package static func spawn(_ child: ChildProcess, on loop: EventLoop? = nil) throws(VirtError) -> RunningChild {
        let loop = loop ?? EventLoop.current ?? sharedLoop
        guard let executable = find(child.executable) ?? (child.isPath ? child.executable : nil) else {
            throw .system(ENOENT, .none, "Cannot find '\(child.executable)' in path")
        }
        try child.checkStrings()
        var started = clinux_started(pid: -1, pidfd: -1, status: -1, release: -1)
        var report = clinux_report()
        let result = unsafe child.withC(executable) { unsafe clinux_child_start(&$0, &started, &report) }
        guard result >= 0 else { throw child.error(report) }
        let process = RunningChild(started, child, loop)
        if !child.handshake {
            do throws(VirtError) {
                try process.waitForExec()
            } catch {
                if !child.daemonize { clinux_child_wait(started.pidfd) }
                throw error
            }
        }
        process.begin()
        return process
    }

    private static let sharedLoop = EventLoopGroup(count: 1, name: "children").next()

    private var isPath: Bool { executable.utf8.contains(UInt8(ascii: "/")) }

    private func checkStrings() throws(VirtError) {
        let optional = [workingDirectory, pidFile, cgroup, connection?.path].compactMap { $0 }
        for text in [executable] + arguments + environment + optional where text.utf8.contains(0) {
            throw VirtError(.invalidArg, .none, "a command's arguments must not contain NUL")
        }
    }

    /// What a report of the child means.
    func error(_ report: clinux_report) -> VirtError {
        let text =
            switch clinux_stage(UInt32(bitPattern: report.stage)) {
            case CLINUX_STAGE_SESSION: "cannot become session leader"
            case CLINUX_STAGE_DESCRIPTORS: "failed to set up file descriptors of '\(executable)'"
            case CLINUX_STAGE_PID_FILE: "Failed to acquire pid file '\(pidFile ?? "")'"
            case CLINUX_STAGE_DIRECTORY: "Unable to change to \(workingDirectory ?? "")"
            case CLINUX_STAGE_LIMITS: "cannot set resource limits of '\(executable)'"
            case CLINUX_STAGE_AFFINITY: "cannot set CPU affinity of '\(executable)'"
            case CLINUX_STAGE_CGROUP: "cannot add '\(executable)' to cgroup '\(cgroup ?? "")'"
            case CLINUX_STAGE_CONNECTION: "Failed to connect socket to '\(connection?.path ?? "")'"
            case CLINUX_STAGE_CREDENTIALS: "cannot change to user \(user?.uid ?? 0), group \(user?.gid ?? 0)"
            case CLINUX_STAGE_CAPABILITIES: "cannot set capabilities of '\(executable)'"
            case CLINUX_STAGE_EXEC: "cannot execute binary \(executable)"
            default: "cannot fork child process"
            }
        return .system(report.error, .none, text)
    }
}

// MARK: For C

extension ChildProcess {
    private func withC<Result>(_ path: String, _ body: (inout clinux_child) -> Result) -> Result {
        let mapping = descriptors.sorted { $0.key < $1.key }
        let sources = mapping.map(\.value.rawValue)
        let targets = mapping.map(\.key)
        var scratch = [Int32](repeating: -1, count: mapping.count + 2)
        let limits = limits.map { clinux_limit(resource: $0.resource.rawValue, soft: $0.soft, hard: $0.hard) }
        let groups = user?.groups ?? []
        let mask = affinityMask
        let strings = CStrings([path], [executable] + arguments, environment)
        defer { withExtendedLifetime(strings) {} }
        return unsafe sources.withUnsafeBufferPointer { sources in
            unsafe targets.withUnsafeBufferPointer { targets in
                unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                    unsafe limits.withUnsafeBufferPointer { limits in
                        unsafe groups.withUnsafeBufferPointer { groups in
                            unsafe mask.withUnsafeBufferPointer { mask in
                                var child = unsafe clinux_child()
                                unsafe child.executable = unsafe UnsafePointer(strings.lists[0][0])
                                unsafe child.arguments = unsafe UnsafePointer(strings.lists[1])
                                unsafe child.environment = unsafe UnsafePointer(strings.lists[2])
                                unsafe (child.sources, child.targets) = (sources.baseAddress, targets.baseAddress)
                                unsafe child.scratch = scratch.baseAddress
                                unsafe child.descriptor_count = Int32(sources.count)
                                unsafe (child.limits, child.limit_count) = (limits.baseAddress, Int32(limits.count))
                                unsafe (child.groups, child.group_count) = (groups.baseAddress, Int32(groups.count))
                                unsafe child.affinity = affinity == nil ? nil : mask.baseAddress
                                unsafe child.affinity_size = Int32(mask.count)
                                return unsafe withPaths(&child) {
                                    unsafe setPlain(&$0)
                                    return unsafe body(&$0)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private func withPaths<Result>(_ child: inout clinux_child, _ body: (inout clinux_child) -> Result) -> Result {
        let strings = CStrings(
            [workingDirectory ?? ""], [cgroup.map { "\($0)/cgroup.procs" } ?? ""], [pidFile ?? ""],
            [connection?.path ?? ""])
        defer { withExtendedLifetime(strings) {} }
        unsafe child.directory = unsafe workingDirectory == nil ? nil : UnsafePointer(strings.lists[0][0])
        unsafe child.cgroup_procs = unsafe cgroup == nil ? nil : UnsafePointer(strings.lists[1][0])
        unsafe child.pid_file = unsafe pidFile == nil ? nil : UnsafePointer(strings.lists[2][0])
        unsafe child.connection_path = unsafe UnsafePointer(strings.lists[3][0])
        return unsafe body(&child)
    }

    private func setPlain(_ child: inout clinux_child) {
        unsafe child.connection = connection?.descriptor ?? -1
        unsafe child.file_mask = umask.map { Int32($0 & 0o777) } ?? -1
        unsafe child.new_session = newSession
        unsafe child.new_group = newProcessGroup && !newSession
        unsafe child.daemonize = daemonize
        unsafe child.handshake = handshake
        unsafe child.set_user = user != nil
        unsafe child.uid = user?.uid ?? 0
        unsafe child.gid = user?.gid ?? 0
        unsafe child.set_capabilities = keepCapabilities != nil
        unsafe child.capabilities = keepCapabilities ?? 0
        unsafe child.no_new_privileges = noNewPrivileges
    }

    /// A cpu_set_t, in whole words of the kernel.
    private var affinityMask: [UInt8] {
        let processors = (affinity ?? []).filter { 0..<8192 ~= $0 }
        var mask = [UInt8](repeating: 0, count: ((processors.max() ?? 0) / 64 + 1) * 8)
        for processor in processors { mask[processor / 8] |= 1 << (processor % 8) }
        return mask
    }
}

/// NULL-terminated arrays of C strings.
@safe private final class CStrings {
    let lists: [UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>]
    private let counts: [Int]

    init(_ lists: [String]...) {
        counts = lists.map(\.count)
        unsafe self.lists = unsafe lists.map { strings in
            let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
            for (index, string) in strings.enumerated() { unsafe list[index] = unsafe strdup(string) }
            unsafe list[strings.count] = nil
            return unsafe list
        }
    }

    deinit {
        for index in unsafe lists.indices {
            let list = unsafe lists[index]
            for position in 0..<counts[index] { unsafe free(list[position]) }
            unsafe list.deallocate()
        }
    }
}
