import CLinux
import Glibc
package import VirtCore

/// What a child process is to be. `ChildProcess.spawn` starts it.
package struct ChildProcess: Sendable {
    /// A path, or a name to look for in PATH.
    package var executable: String
    /// Without the name of the program.
    package var arguments: [String]
    /// "NAME=value"
    package var environment: [String] = commonEnvironment
    /// What becomes of 0, 1 and 2 (/dev/null, unless given) and any other number. Nothing else is inherited.
    package var descriptors: [Int32: DescriptorBox] = [:]
    /// nil: the daemon's own.
    package var user: User?
    package var limits: [ResourceLimit] = []
    /// The processors it may run on; nil: the daemon's.
    package var affinity: [Int]?
    /// A directory of cgroup2 (or of one v1 controller) that it starts in.
    package var cgroup: String?
    package var newSession = false
    package var newProcessGroup = false
    package var umask: UInt32?
    package var workingDirectory: String?
    /// Stops short of taking on `user` and running the program, until `RunningChild.release()`.
    package var handshake = false
    /// A double fork: it belongs to init and outlives the daemon's service as far as systemd lets it.
    package var daemonize = false
    /// A socket that the child connects: the peer takes the child for whom it talks to. Before the handshake.
    package var connection: Connection?
    /// Written and locked by the child; the lock lives as long as the process.
    package var pidFile: String?
    /// The capabilities (as a bit mask) that are left of its set and its bounding set; nil: as the user implies.
    package var keepCapabilities: UInt64?
    package var noNewPrivileges = false

    package init(_ executable: String, _ arguments: [String] = []) {
        self.executable = executable
        self.arguments = arguments
    }

    package struct Connection: Sendable {
        /// The socket's number among `descriptors`.
        package var descriptor: Int32
        package var path: String

        package init(descriptor: Int32, path: String) {
            self.descriptor = descriptor
            self.path = path
        }
    }

    package struct User: Equatable, Sendable {
        package var uid: UInt32
        package var gid: UInt32
        /// The supplementary groups.
        package var groups: [UInt32]

        package init(uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
        }
    }

    /// The variables that libvirt hands to its children, if they are set, and LC_ALL=C.
    package static var commonEnvironment: [String] {
        var result = ["LC_ALL=C"]
        for name in ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR"] {
            if let value = unsafe getenv(name) { result.append(unsafe "\(name)=\(String(cString: value))") }
        }
        return result
    }

    /// The command as a shell would take it, without its environment: for logs and error texts.
    package var commandLine: String {
        ([executable] + arguments).map(Self.quoted).joined(separator: " ")
    }

    private static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            byte >= 0x80 || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
                || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "-_./:=,+@%".utf8.contains(byte)
        }
        if plain, !word.isEmpty { return word }
        let escaped = word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        return "'\(escaped)'"
    }

    /// The path of a program: as it is if it holds a slash, else from PATH and the usual system directories.
    package static func find(_ name: String) -> String? {
        if name.utf8.contains(UInt8(ascii: "/")) { return unsafe access(name, X_OK) == 0 ? name : nil }
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? ""
        for directory in (path + ":/usr/sbin:/usr/bin:/sbin:/bin").split(separator: ":") {
            let candidate = "\(directory)/\(name)"
            if unsafe access(candidate, X_OK) == 0, !FileSystem.isDirectory(candidate) { return candidate }
        }
        return nil
    }
}

/// A limit of setrlimit.
package struct ResourceLimit: Equatable, Sendable {
    package enum Resource: Int32, Sendable {
        case cpuTime = 0
        case fileSize = 1
        case dataSize = 2
        case stackSize = 3
        case coreSize = 4
        case processes = 6
        case openFiles = 7
        case lockedMemory = 8
    }

    package var resource: Resource
    package var soft: UInt64
    package var hard: UInt64

    package static let unlimited = UInt64.max

    package init(_ resource: Resource, soft: UInt64, hard: UInt64) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// The same soft and hard limit.
    package init(_ resource: Resource, _ value: UInt64) { self.init(resource, soft: value, hard: value) }

    /// Limits another process.
    package func apply(to pid: Int32) throws(VirtError) {
        let result = clinux_set_limit(pid, resource.rawValue, soft, hard)
        guard result >= 0 else {
            throw .system(-result, .none, "cannot limit \(resource) of process \(pid) to \(soft)")
        }
    }
}
