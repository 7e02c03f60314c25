package import VirtCore
package import VirtXML

/// A set of CPUs, NUMA nodes or threads as libvirt writes it: `0-3,^2,8`. Printed with ranges.
package struct BitSet: Hashable, Sendable {
    /// The members in ascending order.
    package private(set) var members: [UInt32]
    /// libvirt's sets are bounded too.
    static let limit: UInt32 = 16384

    package init(_ members: some Sequence<UInt32> = []) {
        self.members = Array(Set(members)).sorted()
    }

    /// The error for a text that says no set.
    package static func parseFailure(_ text: String) -> VirtError {
        VirtError(.invalidArg, .none, "Failed to parse bitmap '\(text)'")
    }

    package init?(parsing text: String) {
        var set: Set<UInt32> = []
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard !text.isEmpty else { return nil }
        for part in parts {
            guard Self.read(part.drop { $0 == " " }, into: &set) else { return nil }
        }
        self.init(set)
    }

    private static func read(_ part: Substring, into set: inout Set<UInt32>) -> Bool {
        if part.hasPrefix("^") {
            guard let number = number(part.dropFirst()), set.contains(number) else { return false }
            set.remove(number)
            return true
        }
        let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = ends.first.flatMap({ number($0) }) else { return false }
        guard ends.count == 2 else {
            set.insert(first)
            return true
        }
        guard let last = number(ends[1]), first <= last else { return false }
        set.formUnion(first...last)
        return true
    }

    private static func number(_ text: Substring) -> UInt32? {
        guard let number: UInt32 = IntegerText.parse(String(text)), number < limit else { return nil }
        return number
    }

    package var isEmpty: Bool { members.isEmpty }
    package var count: Int { members.count }
    package func contains(_ member: UInt32) -> Bool { members.contains(member) }
}

extension BitSet: XMLValue, CustomStringConvertible {
    package init?(xml text: String, format: XMLFormat) { self.init(parsing: text) }
    package func xml(format: XMLFormat) -> String { description }
    package static let invalid: InvalidValue? = InvalidValue(.invalidArg, "Failed to parse bitmap", domain: .none)

    package var description: String {
        var ranges: [String] = []
        var index = 0
        while index < members.count {
            var end = index
            while end + 1 < members.count, members[end + 1] == members[end] + 1 { end += 1 }
            let first = members[index]
            ranges.append(end == index ? "\(first)" : "\(first)-\(members[end])")
            index = end + 1
        }
        return ranges.joined(separator: ",")
    }
}
