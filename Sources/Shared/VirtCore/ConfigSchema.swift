/// The keys that a `.conf` file may have, with their types.
package struct ConfigSchema: Sendable {
    /// What a key takes.
    package enum Kind: Sendable {
        case string
        /// A signed 32-bit number.
        case int
        /// An unsigned 32-bit number.
        case uint
        /// An unsigned 64-bit number.
        case ulong
        /// 0 or 1.
        case bool
        case strings
        /// A list of strings, or one string.
        case stringOrStrings
    }

    package let keys: [String: Kind]

    package init(_ keys: [String: Kind]) { self.keys = keys }

    /// This schema with the keys of another added.
    package func adding(_ other: ConfigSchema) -> ConfigSchema {
        ConfigSchema(keys.merging(other.keys) { _, new in new })
    }
}

extension ConfigFile {
    /// Checks every setting against a schema.
    ///
    /// Returns a warning ("FILE:LINE: unknown key 'x'") for each key that the schema doesn't know:
    /// libvirt ignores those.
    /// Throws for the first value of a wrong type.
    package func check(_ schema: ConfigSchema) throws(VirtError) -> [String] {
        var warnings: [String] = []
        for entry in entries {
            guard let kind = schema.keys[entry.name] else {
                warnings.append("\(name):\(entry.line): unknown key '\(entry.name)'")
                continue
            }
            try check(entry.name, kind)
        }
        return warnings
    }

    private func check(_ key: String, _ kind: ConfigSchema.Kind) throws(VirtError) {
        switch kind {
        case .string: _ = try string(key)
        case .int: _ = try int(key)
        case .uint: _ = try uint(key)
        case .ulong: _ = try uint(key, as: UInt64.self)
        case .bool: _ = try bool(key)
        case .strings: _ = try strings(key)
        case .stringOrStrings: _ = try strings(key, orSingle: true)
        }
    }
}
