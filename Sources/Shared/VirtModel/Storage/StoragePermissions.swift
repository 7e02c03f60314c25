import VirtCore
package import VirtXML

/// Mode and owners of a pool's directory or of a volume (`<permissions>`); nil: as it comes.
package struct StoragePermissions: Equatable, Sendable, XMLMappable {
    package var mode: UInt32?
    package var owner: UInt32?
    package var group: UInt32?
    package var label: String?

    package init() {}

    package init(mode: UInt32?, owner: UInt32?, group: UInt32?) {
        (self.mode, self.owner, self.group) = (mode, owner, group)
    }

    /// Whether nothing is said.
    package var isEmpty: Bool { self == Self() }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var mode = mode.map { "0" + String($0, radix: 8) }
        var owner = owner.map { String($0) }
        var group = group.map { String($0) }
        try x.textElement("mode", &mode)
        try x.textElement("owner", &owner)
        try x.textElement("group", &group)
        try x.textElement("label", &label)
        guard let node = x.node else { return }
        self.mode = try mode.map(Self.mode)
        // An empty owner is malformed, unlike a missing one.
        self.owner = try node.child("owner").map { try Self.identifier($0.text, "owner") } ?? nil
        self.group = try node.child("group").map { try Self.identifier($0.text, "group") } ?? nil
    }

    private static func mode(_ text: String) throws(VirtError) -> UInt32 {
        guard let mode = UInt32(text, radix: 8), mode & ~0o777 == 0 else {
            throw VirtError(.xmlError, .storage, "malformed octal mode")
        }
        return mode
    }

    /// A user or group number; -1 stands for none.
    private static func identifier(_ text: String, _ name: String) throws(VirtError) -> UInt32? {
        guard let number: Int64 = IntegerText.parse(text), number == -1 || UInt32(exactly: number) != nil else {
            throw VirtError(.xmlError, .storage, "malformed \(name) element")
        }
        return UInt32(exactly: number)
    }
}
