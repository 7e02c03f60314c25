/// One entry of `log_outputs`: where messages from a level on go.
package struct LogOutput: Sendable, Equatable {
    package enum Destination: Sendable, Equatable {
        case stderr
        /// An absolute path.
        case file(String)
        /// The program's name in the system log.
        case syslog(String)
        case journald
    }

    package let level: LogLevel
    package let destination: Destination

    package init(_ level: LogLevel, _ destination: Destination) {
        self.level = level
        self.destination = destination
    }

    /// The entry as virt-admin shows it.
    package var text: String {
        switch destination {
        case .stderr: "\(level.rawValue):stderr"
        case .file(let path): "\(level.rawValue):file:\(path)"
        case .syslog(let ident): "\(level.rawValue):syslog:\(ident)"
        case .journald: "\(level.rawValue):journald"
        }
    }

    /// Parses `log_outputs`: entries "LEVEL:KIND[:DATA]" separated by spaces; of two with one destination
    /// the later counts.
    ///
    /// Errors: VIR_ERR_INVALID_ARG with libvirt's texts.
    package static func parse(_ text: String) throws(VirtError) -> [LogOutput] {
        var outputs: [LogOutput] = []
        for entry in text.split(separator: " ") {
            let output = try LogOutput(entry: entry)
            outputs.removeAll { $0.destination == output.destination }
            outputs.append(output)
        }
        return outputs
    }

    private init(entry: Substring) throws(VirtError) {
        let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 2 else {
            throw VirtError(.invalidArg, .none, "Malformed format for log output '\(entry)'")
        }
        guard let level = LogLevel(parsing: parts[0]) else {
            throw VirtError(.invalidArg, .none, "Invalid log priority '\(parts[0])' for log output '\(entry)'")
        }
        self.level = level
        let kind = parts[1]
        switch (kind, parts.count) {
        case ("stderr", 2): destination = .stderr
        case ("journald", 2): destination = .journald
        case ("file", 3): destination = .file(String(parts[2]))
        case ("syslog", 3): destination = .syslog(String(parts[2]))
        case ("stderr", _), ("journald", _), ("file", _), ("syslog", _):
            let text = "Log output '\(entry)' does not meet the format requirements for destination type '\(kind)'"
            throw VirtError(.invalidArg, .none, text)
        default:
            throw VirtError(.invalidArg, .none, "Invalid log destination '\(kind)' for log output '\(entry)'")
        }
    }
}
