import Glibc
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// A guest's log file while it starts: virtlogd's pipe (ours or C's), or the file itself.
///
/// With virtlogd the connection lives as long as the start, as in C libvirt; the pipe's write end stays with QEMU.
struct GuestLog: Sendable {
    /// What QEMU gets as its standard output and error.
    let descriptor: DescriptorBox
    let path: String
    /// Where QEMU's own text starts; nil when the file is written without virtlogd.
    private let daemon: LogDaemon?
    private let start: LogLogFilePosition?

    /// Opens the log through virtlogd, or the file itself if that is configured.
    static func open(_ driver: QEMUDriver, name: String, uuid: UUID, loop: EventLoop) async throws -> GuestLog {
        let path = driver.paths.logFile(name)
        guard driver.configuration.usesLogDaemon else {
            let file = try await BlockingPool.shared.run {
                try FileSystem.makeDirectories(driver.paths.log, mode: 0o700)
                return DescriptorBox(try OwnedDescriptor(opening: path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600))
            }
            return GuestLog(descriptor: file, path: path, daemon: nil, start: nil)
        }
        try await BlockingPool.shared.run { try FileSystem.makeDirectories(driver.paths.log, mode: 0o700) }
        let daemon = try await LogDaemon.connect(driver.paths.run, loop: loop)
        let (descriptor, _) = try await daemon.open(path, name: name, uuid: uuid, truncate: false)
        return GuestLog(descriptor: descriptor, path: path, daemon: daemon, start: nil)
    }

    /// Writes text in front of QEMU's.
    func write(_ text: String) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor.rawValue, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if count < 0, errno == EINTR { continue }
            // A log that takes nothing more does not keep the guest from starting.
            guard count > 0 else { return }
            done += count
        }
    }

    /// Remembers that QEMU's own text starts here.
    func marked() async -> GuestLog {
        guard let daemon else { return self }
        let position = try? await daemon.position(path)
        return GuestLog(descriptor: descriptor, path: path, daemon: daemon, start: position)
    }

    /// What QEMU has said since the mark, for the error of a failed start. At most 1,024 characters, no log noise.
    func errorText() async -> String {
        let text: String
        if let daemon, let start {
            text = (try? await daemon.read(path, from: start, limit: 4096)) ?? ""
        } else {
            text = await BlockingPool.shared.text(path, last: 4096)
        }
        let lines = text.split(separator: "\n").filter { line in
            !line.hasPrefix("char device redirected") && !line.contains(": terminating on signal")
        }
        return String(lines.joined(separator: "\n").suffix(1024))
    }

    func close() {
        daemon?.close()
    }

    /// `2026-11-23 20:01:17.043+0000`, as libvirt's own lines start.
    static func timestamp() -> String {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        var seconds = now.tv_sec
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let milliseconds = now.tv_nsec / 1_000_000
        let padded =
            milliseconds < 10 ? "00\(milliseconds)" : milliseconds < 100 ? "0\(milliseconds)" : "\(milliseconds)"
        return unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(padded)+0000"
    }
}

extension BlockingPool {
    /// The end of a file as text; empty when there is none.
    func text(_ path: String, last count: Int) async -> String {
        let bytes = try? await run { try FileSystem.read(path) }
        return String(decoding: (bytes ?? []).suffix(count), as: UTF8.self)
    }
}

/// virtlogd, as its client.
struct LogDaemon: Sendable {
    private let client: RPCClient

    static func connect(_ run: String, loop: EventLoop) async throws -> LogDaemon {
        LogDaemon(client: try await RPCClient.connect(path: run + "/virtlogd-sock", loop: loop))
    }

    /// Opens a file for writing through virtlogd: a pipe.
    func open(
        _ path: String, name: String, uuid: UUID, truncate: Bool
    ) async throws -> (DescriptorBox, LogLogFilePosition) {
        let arguments = LogDomainOpenLogFileArgs(
            driver: "qemu", dom: LogDomain(uuid: uuid, name: name), path: path, flags: truncate ? 1 : 0)
        let (reply, descriptors) = try await client.callWithDescriptors(
            LogProgram.DomainOpenLogFile.self, arguments)
        guard let descriptor = descriptors.first else {
            throw VirtError(.internalError, .qemu, "no file descriptor in virtlogd's reply")
        }
        return (descriptor, reply.pos)
    }

    func position(_ path: String) async throws -> LogLogFilePosition {
        try await client.call(
            LogProgram.DomainGetLogFilePosition.self, LogDomainGetLogFilePositionArgs(path: path, flags: 0)
        ).pos
    }

    func read(_ path: String, from position: LogLogFilePosition, limit: UInt64) async throws -> String {
        let arguments = LogDomainReadLogFileArgs(path: path, pos: position, maxlen: limit, flags: 0)
        return String(decoding: try await client.call(LogProgram.DomainReadLogFile.self, arguments).data, as: UTF8.self)
    }

    /// Adds a line to a log whose pipe somebody else holds.
    func append(_ path: String, name: String, uuid: UUID, _ message: String) async throws {
        let arguments = LogDomainAppendLogFileArgs(
            driver: "qemu", dom: LogDomain(uuid: uuid, name: name), path: path, message: message, flags: 0)
        _ = try await client.call(LogProgram.DomainAppendLogFile.self, arguments)
    }

    func close() {
        client.close()
    }
}
