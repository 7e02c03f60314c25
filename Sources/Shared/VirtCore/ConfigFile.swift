/// A parsed libvirt `.conf` file: names with numbers, strings and lists.
///
/// Numbers, `"strings"`, `'strings'`, `"""strings over lines"""` and `[lists, over, lines]`; `#` starts a comment,
/// `;` or the end of a line ends a setting. Where a name is set twice the first one counts, as in libvirt.
package struct ConfigFile: Sendable, Equatable {
    /// A value with its type as it is written.
    package enum Value: Sendable, Equatable {
        /// A number with a minus sign.
        case negative(Int64)
        /// A number without one.
        case number(UInt64)
        case string(String)
        case list([Value])
    }

    /// One setting and the line where its value ends.
    package struct Entry: Sendable, Equatable {
        package let name: String
        package let value: Value
        package let line: Int
    }

    /// What errors call the file: its path.
    package let name: String
    /// All settings in the order of the file.
    package let entries: [Entry]
    private let index: [String: Int]

    /// No settings: a file that doesn't exist.
    package static func empty(name: String) -> ConfigFile { ConfigFile(name: name, entries: []) }

    private init(name: String, entries: [Entry]) {
        self.name = name
        self.entries = entries
        var index: [String: Int] = [:]
        for (position, entry) in entries.enumerated() where index[entry.name] == nil {
            index[entry.name] = position
        }
        self.index = index
    }

    /// Parses a file's text.
    ///
    /// Errors: VIR_ERR_CONF_SYNTAX, "NAME:LINE: what was expected".
    package static func parse(_ text: String, name: String) throws(VirtError) -> ConfigFile {
        try parse(bytes: Array(text.utf8), name: name)
    }

    /// Parses a file's bytes; strings must be UTF-8, comments need not.
    package static func parse(bytes: [UInt8], name: String) throws(VirtError) -> ConfigFile {
        var parser = ConfigParser(bytes: bytes, name: name)
        return ConfigFile(name: name, entries: try parser.parse())
    }

    /// The first setting of that name.
    package func entry(_ key: String) -> Entry? {
        index[key].map { entries[$0] }
    }
}

extension ConfigFile {
    /// A string setting; nil when it isn't set.
    package func string(_ key: String) throws(VirtError) -> String? {
        guard let entry = entry(key) else { return nil }
        guard case .string(let text) = entry.value else {
            throw problem(entry, "expected a string for '\(key)' parameter")
        }
        return text
    }

    /// A signed number that fits `Number`.
    package func int<Number: FixedWidthInteger & SignedInteger>(
        _ key: String, as type: Number.Type = Int32.self
    ) throws(VirtError) -> Number? {
        guard let entry = entry(key) else { return nil }
        let exact: Number?
        switch entry.value {
        case .negative(let number): exact = Number(exactly: number)
        case .number(let number): exact = Number(exactly: number)
        case .string, .list: throw problem(entry, "expected a signed integer for '\(key)' parameter")
        }
        guard let exact else {
            throw problem(entry, "value for '\(key)' parameter must be in range \(Number.min):\(Number.max)")
        }
        return exact
    }

    /// An unsigned number that fits `Number`.
    package func uint<Number: FixedWidthInteger & UnsignedInteger>(
        _ key: String, as type: Number.Type = UInt32.self
    ) throws(VirtError) -> Number? {
        guard let entry = entry(key) else { return nil }
        guard case .number(let number) = entry.value else {
            throw problem(entry, "expected an unsigned integer for '\(key)' parameter")
        }
        guard let exact = Number(exactly: number) else {
            throw problem(entry, "value for '\(key)' parameter must be in range 0:\(Number.max)")
        }
        return exact
    }

    /// A setting that is 0 or 1.
    package func bool(_ key: String) throws(VirtError) -> Bool? {
        guard let entry = entry(key) else { return nil }
        guard case .number(let number) = entry.value else {
            throw problem(entry, "expected a bool for '\(key)' parameter")
        }
        guard number <= 1 else { throw problem(entry, "value for '\(key)' parameter must be 0 or 1") }
        return number == 1
    }

    /// A list of strings; with `orSingle` one string stands for a list of one.
    package func strings(_ key: String, orSingle: Bool = false) throws(VirtError) -> [String]? {
        guard let entry = entry(key) else { return nil }
        switch entry.value {
        case .string(let text) where orSingle:
            return [text]
        case .list(let values):
            var texts: [String] = []
            for value in values {
                guard case .string(let text) = value else {
                    throw VirtError(
                        .confSyntax, .conf, "\(name):\(entry.line): expected a string list for '\(key)' parameter")
                }
                texts.append(text)
            }
            return texts
        case .string, .negative, .number:
            let expected = orSingle ? "a string or string list" : "a string list"
            throw problem(entry, "expected \(expected) for '\(key)' parameter")
        }
    }

    private func problem(_ entry: Entry, _ text: String) -> VirtError {
        VirtError(.internalError, .conf, "\(name):\(entry.line): \(text)")
    }
}
