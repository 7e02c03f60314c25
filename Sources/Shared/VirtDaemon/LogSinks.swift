import CSystemd
import Glibc
import VirtCore
import VirtOS

/// Lines to a descriptor: the standard error, or a file of its own.
final class DescriptorSink: LogSink {
    private let file: DescriptorBox

    /// The standard error.
    init() throws(VirtError) { file = DescriptorBox(try OwnedDescriptor(duplicating: 2)) }

    /// A file that is made if missing (0600) and only ever appended to.
    init(path: String) throws(VirtError) {
        let raw = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .system(errno, .none, "failed to open \(path)") }
        file = DescriptorBox(OwnedDescriptor(raw))
    }

    func write(_ message: LogMessage, line: String) {
        // Where the log itself fails there is nowhere to tell it.
        try? FileSystem.write(file.rawValue, Array(line.utf8), name: "log")
    }
}

/// The system log; it keeps time and process itself.
@safe final class SyslogSink: LogSink {
    /// openlog keeps the pointer, so it must not move.
    nonisolated(unsafe) private let ident: UnsafeMutablePointer<CChar>?

    init(ident: String) { unsafe self.ident = unsafe strdup(ident) }

    deinit {
        closelog()
        unsafe free(ident)
    }

    func write(_ message: LogMessage, line: String) {
        // Another sink may have been closed since the last message, which forgets the name.
        unsafe openlog(ident, 0, 0)
        unsafe message.text.withCString { text in
            unsafe withVaList([OpaquePointer(text)]) { unsafe vsyslog(message.level.syslogPriority, "%s", $0) }
        }
    }
}

/// The journal, with libvirt's fields.
final class JournalSink: LogSink {
    func write(_ message: LogMessage, line: String) {
        let fields = [
            "MESSAGE=\(message.text)", "PRIORITY=\(message.level.syslogPriority)",
            "LIBVIRT_SOURCE=\(message.category)", "CODE_LINE=\(message.line)", "CODE_FUNC=\(message.function)",
        ]
        Self.send(fields.map { Array($0.utf8) })
    }

    /// One entry of fields "NAME=value"; a value may hold line ends.
    private static func send(_ fields: [[UInt8]]) {
        var bytes = fields.flatMap { $0 }
        unsafe bytes.withUnsafeMutableBytes { buffer in
            var offset = 0
            let parts = unsafe fields.map { field in
                defer { offset += field.count }
                return unsafe iovec(iov_base: buffer.baseAddress?.advanced(by: offset), iov_len: field.count)
            }
            _ = unsafe sd_journal_sendv(parts, Int32(parts.count))
        }
    }
}

extension LogLevel {
    var syslogPriority: Int32 {
        switch self {
        case .debug: LOG_DEBUG
        case .info: LOG_INFO
        case .warning: LOG_WARNING
        case .error: LOG_ERR
        }
    }
}
