/// One entry of `log_filters`: the level that categories matching a pattern print from.
package struct LogFilter: Sendable, Equatable {
    package let level: LogLevel
    private let pattern: GlobPattern

    /// The entry as virt-admin shows it: libvirt puts stars around what was set.
    package var text: String { "\(level.rawValue):\(pattern.text)" }

    func matches(_ category: String) -> Bool { pattern.matches(category) }

    /// Parses `log_filters`: entries "LEVEL:MATCH" separated by spaces.
    ///
    /// Errors: VIR_ERR_INVALID_ARG with libvirt's texts.
    package static func parse(_ text: String) throws(VirtError) -> [LogFilter] {
        var filters: [LogFilter] = []
        for entry in text.split(separator: " ") { filters.append(try LogFilter(entry: entry)) }
        return filters
    }

    private init(entry: Substring) throws(VirtError) {
        let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 2 else {
            throw VirtError(.invalidArg, .none, "Malformed format for filter '\(entry)'")
        }
        guard let level = LogLevel(parsing: parts[0]) else {
            throw VirtError(.invalidArg, .none, "Invalid priority '\(parts[0])' for filter '\(entry)'")
        }
        // A leading plus once asked for stack traces; libvirt still takes it and drops it.
        let match = parts[1].hasPrefix("+") ? parts[1].dropFirst() : parts[1]
        guard !match.isEmpty else {
            throw VirtError(.invalidArg, .none, "Invalid match string '\(parts[1])'")
        }
        self.level = level
        pattern = GlobPattern("*\(match)*")
    }
}

extension LogLevel {
    /// A number from 1 to 4, as C's strtoul reads one.
    init?(parsing text: Substring) {
        let digits = text.utf8.drop { isSpace($0) }
        guard digits.first != UInt8(ascii: "-"), let number = Int32(Substring(digits)) else { return nil }
        self.init(rawValue: number)
    }
}
