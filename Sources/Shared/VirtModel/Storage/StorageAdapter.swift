import VirtCore
package import VirtXML

/// The host bus adapter that a scsi pool shows (`<adapter>`).
package struct StorageAdapter: Equatable, Sendable {
    package enum Kind: String, StorageEnum {
        case scsiHost = "scsi_host"
        case fibreChannel = "fc_host"
    }

    package var kind: Kind?
    package var name: String?
    /// The PCI device that the adapter belongs to, and its number there.
    package var parentAddress: PCIAddress?
    package var uniqueID: Int32?
    package var parent: String?
    package var isManaged: StorageSwitch?
    package var parentNodeName: String?
    package var parentPortName: String?
    package var parentFabricName: String?
    package var nodeName: String?
    package var portName: String?

    package init() {}
}

extension StorageAdapter: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &kind)
        try x.attribute("name", &name)
        try x.attribute("parent", &parent)
        try x.attribute("managed", &isManaged)
        try x.attribute("parent_wwnn", &parentNodeName)
        try x.attribute("parent_wwpn", &parentPortName)
        try x.attribute("parent_fabric_wwn", &parentFabricName)
        try x.attribute("wwnn", &nodeName)
        try x.attribute("wwpn", &portName)
        if let node = x.node?.child("parentaddr"), kind != nil { try checkParent(node) }
        var (address, number) = (parentAddress, uniqueID)
        try x.group("parentaddr") { x in
            try x.attribute("unique_id", &number)
            try x.element("address", &address)
        }
        if x.isReading { try finishReading(address, number) }
    }

    private func checkParent(_ node: XMLNode) throws(VirtError) {
        guard node.child("address") != nil else { throw Self.malformed("Missing scsi_host PCI address element") }
        let number: Int32? = IntegerText.parse(node.attribute("unique_id") ?? "")
        guard let number, number >= 0 else {
            throw Self.malformed("Missing or invalid scsi adapter 'unique_id' value")
        }
    }

    private mutating func finishReading(_ address: PCIAddress?, _ number: Int32?) throws(VirtError) {
        (parentAddress, uniqueID) = (address, number)
        guard kind == nil else { return }
        if nodeName != nil || portName != nil || parent != nil {
            throw Self.malformed(
                "Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter 'type'")
        }
        if address != nil { throw Self.malformed("Use of 'parent' element requires use of the adapter 'type'") }
        if name != nil { kind = .scsiHost }
    }

    /// What a scsi pool needs of its adapter.
    func validate() throws(VirtError) {
        switch kind {
        case .fibreChannel:
            guard let nodeName, let portName else {
                throw Self.malformed("'wwnn' and 'wwpn' must be specified for adapter type 'fchost'")
            }
            let names = [nodeName, portName, parentNodeName, parentPortName, parentFabricName].compactMap { $0 }
            for name in names where !Self.isWorldWideName(name) {
                throw VirtError(.internalError, .none, "Malformed wwn: \(name)")
            }
        case .scsiHost:
            if name == nil, parentAddress == nil {
                throw Self.malformed("Either 'name' or 'parent' must be specified for the 'scsi_host' adapter")
            }
            if name != nil, parentAddress != nil {
                throw Self.malformed("Both 'name' and 'parent' cannot be specified for the 'scsi_host' adapter")
            }
        case nil:
            throw Self.malformed("missing storage pool source adapter")
        }
    }

    private static func isWorldWideName(_ text: String) -> Bool {
        text.utf8.count == 16 && UInt64(text, radix: 16) != nil
    }

    private static func malformed(_ text: String) -> VirtError { VirtError(.xmlError, .storage, text) }
}
