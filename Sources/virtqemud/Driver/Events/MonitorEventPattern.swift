import Glibc
import VirtCore

/// Which of QEMU's events a client wants (virConnectDomainQemuMonitorEventRegister).
struct MonitorEventPattern: Sendable {
    /// Bits of virConnectDomainQemuMonitorEventRegisterFlags.
    static let regularExpression: UInt32 = 1
    static let ignoreCase: UInt32 = 2

    /// nil: every event.
    let text: String?
    let flags: UInt32

    /// Whether an event of that name is wanted.
    func matches(_ name: String) -> Bool {
        guard let text else { return true }
        if flags & Self.regularExpression != 0 { return matchesExpression(text, name) }
        guard flags & Self.ignoreCase != 0 else { return text == name }
        return text.lowercased() == name.lowercased()
    }

    /// Throws what is wrong with a regular expression.
    func check() throws(VirtError) {
        guard let text, flags & Self.regularExpression != 0 else { return }
        var expression = unsafe regex_t()
        guard unsafe regcomp(&expression, text, options) == 0 else {
            throw VirtError(.invalidArg, .qemu, "failed to compile regex '\(text)'")
        }
        unsafe regfree(&expression)
    }

    private var options: Int32 { REG_EXTENDED | REG_NOSUB | (flags & Self.ignoreCase != 0 ? REG_ICASE : 0) }

    private func matchesExpression(_ text: String, _ name: String) -> Bool {
        var expression = unsafe regex_t()
        guard unsafe regcomp(&expression, text, options) == 0 else { return false }
        defer { unsafe regfree(&expression) }
        return unsafe regexec(&expression, name, 0, nil, 0) == 0
    }
}
