import CLinux
import Glibc

/// libvirt's format of a log line: "2026-11-23 19:49:33.418+0000: 4711: debug : qemu.domain.start:42 : text".
///
/// libvirt recognises its own lines in QEMU's logs by it.
package enum LogLine {
    /// The present time (UTC) as log lines begin with it.
    package static func timestamp() -> String {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return timestamp(seconds: now.tv_sec, milliseconds: now.tv_nsec / 1_000_000)
    }

    /// A time (UTC) as log lines begin with it.
    package static func timestamp(seconds: Int, milliseconds: Int) -> String {
        var seconds = seconds
        var time = unsafe tm()
        guard unsafe gmtime_r(&seconds, &time) != nil else { return "" }
        let date =
            unsafe "\(Int(time.tm_year) + 1900)-\(padded(Int(time.tm_mon) + 1, 2))-\(padded(Int(time.tm_mday), 2))"
        let clock =
            unsafe "\(padded(Int(time.tm_hour), 2)):\(padded(Int(time.tm_min), 2)):\(padded(Int(time.tm_sec), 2))"
        return "\(date) \(clock).\(padded(milliseconds, 3))+0000"
    }

    /// The line of a message, line end included; a message without a source line is libvirt's introduction.
    package static func format(_ message: LogMessage, timestamp: String, thread: Int32 = clinux_thread_id()) -> String {
        guard message.line > 0 else { return "\(timestamp): \(thread): \(message.level.name) : \(message.text)\n" }
        return "\(timestamp): \(thread): \(message.level.name) : \(message.source):\(message.line) : \(message.text)\n"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension LogMessage {
    /// The category with the function's name: "qemu.domain.start".
    package var source: String {
        let function = "\(function)"
        return "\(category).\(function.prefix { $0 != "(" })"
    }
}
