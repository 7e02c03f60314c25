package import VirtCore
import VirtXML

/// How a switch recognises an interface (`<virtualport>`).
package struct VirtualPort: Equatable, Sendable {
    package enum Kind: String, XMLEnum, CaseIterable {
        case qbg = "802.1Qbg"
        case qbh = "802.1Qbh"
        case openVSwitch = "openvswitch"
        case midonet
    }

    package var kind: Kind?
    package var managerID: UInt8?
    package var typeID: UInt32?
    package var typeIDVersion: UInt8?
    package var instanceID: UUID?
    package var interfaceID: UUID?
    package var profileID: String?

    package init() {}

    /// Whether nothing is given but perhaps the kind.
    package var hasNoParameters: Bool {
        managerID == nil && typeID == nil && typeIDVersion == nil && instanceID == nil && interfaceID == nil
            && profileID == nil
    }
}

extension VirtualPort {
    /// Refuses parameters that the kind does not know.
    package func checkNoExtras() throws(VirtError) {
        let extra: String? =
            switch kind {
            case .qbg: first([("profileid", profileID != nil), ("interfaceid", interfaceID != nil)])
            case .qbh: first(eightZeroTwo + [("interfaceid", interfaceID != nil)])
            case .openVSwitch: first(eightZeroTwo)
            case .midonet, nil: nil
            }
        guard let extra, let kind else { return }
        throw VirtError(.xmlError, .none, "extra \(extra) unsupported in <virtualport type='\(kind.rawValue)'>")
    }

    private var eightZeroTwo: [(String, Bool)] {
        [
            ("managerid", managerID != nil), ("typeid", typeID != nil), ("typeidversion", typeIDVersion != nil),
            ("instanceid", instanceID != nil),
        ]
    }

    private func first(_ names: [(String, Bool)]) -> String? { names.first { $0.1 }?.0 }

    /// Makes up the identifiers that may be missing and refuses the port when others are.
    package mutating func complete() throws(VirtError) {
        let missing: String?
        switch kind {
        case .qbg:
            missing = first([
                ("managerid", managerID == nil), ("typeid", typeID == nil), ("typeidversion", typeIDVersion == nil),
            ])
            if missing == nil, instanceID == nil { instanceID = .random() }
        case .qbh: missing = profileID == nil ? "profileid" : nil
        case .openVSwitch:
            missing = nil
            if interfaceID == nil { interfaceID = .random() }
        case .midonet: missing = interfaceID == nil ? "interfaceid" : nil
        case nil: missing = nil
        }
        guard let missing, let kind else { return }
        throw VirtError(.xmlError, .none, "missing \(missing) in <virtualport type='\(kind.rawValue)'>")
    }

    /// Joins what the interface, the network and its port group say; the first one that says something wins, and
    /// another one that says something else is an error. Nil when none of them names a kind.
    package static func merge(
        interface: VirtualPort?, network: VirtualPort?, portGroup: VirtualPort?
    ) throws(VirtError) -> VirtualPort? {
        guard interface?.kind != nil || network?.kind != nil || portGroup?.kind != nil else { return nil }
        var result = interface ?? VirtualPort()
        if let network { try result.merge(network) }
        if let portGroup { try result.merge(portGroup) }
        return result
    }

    private mutating func merge(_ other: VirtualPort) throws(VirtError) {
        if let theirs = other.kind {
            if let ours = kind, ours != theirs {
                throw mismatch("types (\(ours.rawValue) and \(theirs.rawValue))")
            }
            kind = theirs
        }
        let isQbg = kind == .qbg || kind == nil
        let isSwitch = kind == .openVSwitch || kind == nil
        if isQbg {
            try take(other.managerID, &managerID, "managerids")
            try take(other.typeID, &typeID, "typeids")
            try take(other.typeIDVersion, &typeIDVersion, "typeidversions")
            try take(other.instanceID, &instanceID, "instanceids", quoted: true)
        }
        if isSwitch { try take(other.interfaceID, &interfaceID, "interfaceids", quoted: true) }
        if isSwitch || kind == .qbh { try take(other.profileID, &profileID, "profileids", quoted: true) }
    }

    private func take<Value: Equatable>(
        _ theirs: Value?, _ ours: inout Value?, _ name: String, quoted: Bool = false
    ) throws(VirtError) {
        guard let theirs else { return }
        if let mine = ours, mine != theirs {
            throw mismatch(quoted ? "\(name) ('\(mine)' and '\(theirs)')" : "\(name) (\(mine) and \(theirs))")
        }
        ours = theirs
    }

    private func mismatch(_ text: String) -> VirtError {
        VirtError(.xmlError, .none, "attempt to merge virtualports with mismatched \(text)")
    }
}
