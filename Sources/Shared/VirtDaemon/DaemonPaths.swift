import Glibc

/// Where a daemon's files are: the system's places, all below `root`, or those of a user's session.
package struct DaemonPaths: Sendable, Equatable {
    /// Put before every absolute path; "" outside tests and private swarms.
    package let root: String
    /// A user's own daemon rather than the system's.
    package let isSession: Bool
    /// Sockets and state that a reboot ends: /run/libvirt.
    package let runLibvirt: String
    /// Configuration and definitions: /etc/libvirt.
    package let etcLibvirt: String
    /// Images, snapshots, sockets of guests: /var/lib/libvirt.
    package let varLibLibvirt: String
    package let varLogLibvirt: String
    package let varCacheLibvirt: String
    private let pidDirectory: String

    /// - Parameter environment: what a session's XDG directories are looked up in.
    package init(root: String = "", session: Bool = false, environment: (String) -> String? = DaemonPaths.variable) {
        self.root = root.hasSuffix("/") ? String(root.dropLast()) : root
        isSession = session
        guard session else {
            runLibvirt = self.root + "/run/libvirt"
            etcLibvirt = self.root + "/etc/libvirt"
            varLibLibvirt = self.root + "/var/lib/libvirt"
            varLogLibvirt = self.root + "/var/log/libvirt"
            varCacheLibvirt = self.root + "/var/cache/libvirt"
            pidDirectory = self.root + "/run"
            return
        }
        func directory(_ variable: String, _ fallback: String) -> String {
            if let set = environment(variable), set.hasPrefix("/") { return set + "/libvirt" }
            return (environment("HOME") ?? "/") + "/" + fallback + "/libvirt"
        }
        let runtime = environment("XDG_RUNTIME_DIR").map { $0 + "/libvirt" }
        etcLibvirt = directory("XDG_CONFIG_HOME", ".config")
        varCacheLibvirt = directory("XDG_CACHE_HOME", ".cache")
        runLibvirt = runtime ?? varCacheLibvirt
        varLibLibvirt = etcLibvirt
        varLogLibvirt = varCacheLibvirt
        pidDirectory = runLibvirt
    }

    /// Any other absolute path of the host, below the root.
    package func path(_ absolute: String) -> String { root + absolute }

    /// /run/NAME.pid, or in the session's run directory.
    package func pidFile(_ name: String) -> String { "\(pidDirectory)/\(name).pid" }

    /// What a daemon leaves to the program that replaces it in place: /run/NAME-restart-exec.json, or in the session's
    /// run directory.
    package func restartState(_ name: String) -> String { "\(pidDirectory)/\(name)-restart-exec.json" }

    /// What all daemons of the host share: /run/libvirt/common.
    package var common: String { runLibvirt + "/common" }

    package static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}

/// The names that a daemon's own files and sockets have.
package struct DaemonFileNames: Sendable, Equatable {
    /// "virtqemud"
    package let name: String
    /// "virtqemud", but "libvirt" for virtproxyd.
    package let socketPrefix: String
    package let hasReadOnlySocket: Bool

    package init(name: String, socketPrefix: String, hasReadOnlySocket: Bool) {
        self.name = name
        self.socketPrefix = socketPrefix
        self.hasReadOnlySocket = hasReadOnlySocket
    }

    package var mainSocket: String { socketPrefix + "-sock" }
    package var readOnlySocket: String? { hasReadOnlySocket ? socketPrefix + "-sock-ro" : nil }
    package var adminSocket: String { socketPrefix + "-admin-sock" }
}
