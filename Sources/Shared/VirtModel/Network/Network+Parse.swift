import VirtCore
package import VirtXML

extension Network {
    /// Reads a definition: parse, and the checks that concern the document alone.
    package static func parse(_ bytes: some Sequence<UInt8>) throws -> Network {
        let root = try XMLDocument.root("network", of: bytes, name: "network_definition", domain: .network)
        return try parse(root)
    }

    /// Reads a definition that is part of a document.
    package static func parse(_ element: XMLNode) throws -> Network {
        let name = element.child("name")?.text ?? ""
        return try NetworkXML.naming(name) {
            let network: Network = try ElementReader.read(element)
            try network.validateDocument()
            return network
        }
    }

    /// The definition as libvirt prints it.
    package func format(_ flags: MappingFlags = [], depth: Int = 0) throws -> String {
        try ElementWriter.document("network", self, flags: flags, depth: depth)
    }
}

extension NetworkStatus: XMLMappable {
    package init() { self.init(network: Network()) }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var bitmap: String? = classIDText
        var sum: UInt64? = floorSum
        var flag: String? = isTaintedByHook ? "hook-script" : nil
        try x.group("class_id") { try $0.attribute("bitmap", &bitmap) }
        try x.group("floor") {
            try $0.attribute("sum", &sum) {
                VirtError(.internalError, .network, "Malformed 'floor_sum' attribute: \($0)")
            }
        }
        try x.group("taint") { try $0.attribute("flag", &flag) }
        guard let node = x.node else { return try x.element("network", &network, always: true) }
        if let bitmap {
            guard let ids = Self.classIDs(parsing: bitmap) else {
                throw VirtError(.internalError, .network, "Failed to parse bitmap '\(bitmap)'")
            }
            classIDs = ids.union([0, 1, 2])
        }
        floorSum = sum ?? 0
        isTaintedByHook = flag != nil
        guard let child = node.child("network") else {
            throw VirtError(.internalError, .network, "Could not find any 'network' element in status file")
        }
        network = try Network.parse(child)
    }

    /// Reads a state file; a bare definition, as very old versions wrote, is taken too.
    package static func parse(_ bytes: some Sequence<UInt8>) throws -> NetworkStatus {
        let document = try XMLDocument.parse(bytes, name: "network status", domain: .network)
        guard let root = document.root else {
            throw VirtError(.internalError, .network, "Could not find any 'network' element in status file")
        }
        if root.name == "network" { return NetworkStatus(network: try Network.parse(root)) }
        return try ElementReader.read(root)
    }

    /// The state file's text.
    package func format() throws -> String { try ElementWriter.document("networkstatus", self, flags: .status) }
}
