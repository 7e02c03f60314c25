#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which addresses each guest of a bridge has (`BRIDGE.macs`), for the host's NSS module.
package struct MACMap: Equatable, Sendable {
    private struct Entry: Codable {
        var domain: String
        var macs: [String]
    }

    private var macs: [String: [String]] = [:]

    package init() {}

    /// Reads the file's bytes; an empty file is an empty map. Throws when it is not such a map.
    package init(_ bytes: [UInt8]) throws {
        guard bytes.contains(where: { $0 > 0x20 }) else { return }
        for entry in try JSONDecoder().decode([Entry].self, from: Data(bytes)) { macs[entry.domain] = entry.macs }
    }

    package mutating func add(_ mac: String, domain: String) {
        if macs[domain]?.contains(mac) == true { return }
        macs[domain, default: []].append(mac)
    }

    package mutating func remove(_ mac: String, domain: String) {
        guard var list = macs[domain], let index = list.firstIndex(of: mac) else { return }
        list.remove(at: index)
        macs[domain] = list.isEmpty ? nil : list
    }

    /// The file's text, guests sorted by name.
    package var text: String {
        if macs.isEmpty { return "[\n\n]\n" }
        let entries = macs.sorted { $0.key < $1.key }.map { domain, list in
            let items = list.map { "      \(JSONText.quoted($0))" }.joined(separator: ",\n")
            return "  {\n    \"domain\": \(JSONText.quoted(domain)),\n    \"macs\": [\n\(items)\n    ]\n  }"
        }
        return "[\n" + entries.joined(separator: ",\n") + "\n]\n"
    }
}
