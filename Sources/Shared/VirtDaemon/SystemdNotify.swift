import CSystemd
import Glibc
import VirtCore

private let log = Logger("systemd.notify")

/// Messages to the service manager (sd_notify); nothing happens where there is none.
package struct SystemdNotify: Sendable {
    /// Whether a service manager listens (NOTIFY_SOCKET is set).
    package let isActive: Bool

    package init() { isActive = DaemonPaths.variable("NOTIFY_SOCKET") != nil }

    package func ready(status: String) { send("READY=1\nSTATUS=\(Self.line(status))") }

    package func reloading() {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000
        send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
    }

    package func stopping() { send("STOPPING=1") }

    package func status(_ text: String) { send("STATUS=\(Self.line(text))") }

    /// The process that systemd shall watch from now on.
    package func mainProcess(_ pid: Int32) { send("MAINPID=\(pid)") }

    /// Leaves copies of descriptors with systemd, which hands them to the next process of the service.
    ///
    /// - Parameter name: up to 255 characters, no colon and no control characters; several descriptors may share one.
    package func store(name: String, descriptors: [Int32]) {
        guard isValid(name), !descriptors.isEmpty else {
            return log.error("'\(name)' is no name for stored descriptors")
        }
        // Without FDPOLL=0 systemd drops a pipe once its writer is gone, unread bytes and all.
        send("FDSTORE=1\nFDNAME=\(name)\nFDPOLL=0", descriptors)
    }

    /// Gives up all stored descriptors of that name.
    package func removeStored(name: String) {
        guard isValid(name) else { return }
        send("FDSTOREREMOVE=1\nFDNAME=\(name)")
    }

    /// Waits until the manager has read everything that was sent. Blocks, for at most five seconds.
    package func barrier() {
        guard isActive else { return }
        let result = sd_notify_barrier(0, 5_000_000)
        if result < 0 { log.warning("systemd does not answer: \(VirtError.describe(errno: -result))") }
    }

    private func isValid(_ name: String) -> Bool {
        (1...255).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: ":") }
    }

    private func send(_ message: String, _ descriptors: [Int32] = []) {
        guard isActive else { return }
        let result =
            unsafe descriptors.isEmpty
            ? sd_notify(0, message) : sd_pid_notify_with_fds(0, 0, message, descriptors, UInt32(descriptors.count))
        if result < 0 { log.warning("cannot notify systemd: \(VirtError.describe(errno: -result))") }
    }

    private static func line(_ text: String) -> String { text.split(separator: "\n").joined(separator: " ") }
}
