import VirtCore
package import VirtXML

extension VirtualPort: XMLMappable {
    /// Nothing to print.
    var isEmpty: Bool { kind == nil && hasNoParameters }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &kind) { VirtError(.configUnsupported, .none, "unknown virtualport type \($0)") }
        var (manager, type, version) = (managerID.map { UInt32($0) }, typeID, typeIDVersion.map { UInt32($0) })
        var (instance, interface, profile) = (instanceID, interfaceID, profileID)
        try x.group("parameters") {
            try $0.attribute("managerid", &manager, .anyBase) { _ in Self.unparsable("managerid") }
            try $0.attribute("typeid", &type, .anyBase) { _ in Self.unparsable("typeid") }
            try $0.attribute("typeidversion", &version, .anyBase) { _ in Self.unparsable("typeidversion") }
            try $0.attribute(
                "instanceid", &instance
            ) { _ in Self.malformed("cannot parse instanceid parameter as a uuid") }
            try $0.attribute("interfaceid", &interface) { _ in
                Self.malformed("cannot parse interfaceid parameter as a uuid")
            }
            try $0.nonEmpty("profileid", &profile)
        }
        guard x.isReading else { return }
        managerID = try Self.byte(manager, "value of managerid out of range")
        if let type, type > 0xFFFFFF { throw Self.malformed("value for typeid out of range") }
        typeID = type
        typeIDVersion = try Self.byte(version, "value of typeidversion out of range")
        instanceID = instance
        interfaceID = interface
        if let profile, profile.utf8.count >= 40 { throw Self.malformed("profileid parameter too long") }
        profileID = profile
        try checkNoExtras()
    }

    private static func byte(_ value: UInt32?, _ failure: String) throws(VirtError) -> UInt8? {
        guard let value else { return nil }
        guard let byte = UInt8(exactly: value) else { throw malformed(failure) }
        return byte
    }

    private static func unparsable(_ name: String) -> VirtError {
        malformed("cannot parse value of \(name) parameter")
    }

    private static func malformed(_ text: String) -> VirtError { VirtError(.xmlError, .none, text) }
}

extension ElementMapper {
    /// `<virtualport>`, which is not printed when it says nothing.
    mutating func virtualPort(_ value: inout VirtualPort?) throws {
        var shown = value
        if isWriting, shown?.isEmpty == true { shown = nil }
        try element("virtualport", &shown)
        if isReading { value = shown }
    }
}
