import VirtCore
package import VirtXML

extension VLAN: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var trunk: String? = isTrunk ? "yes" : nil
        try x.attribute("trunk", &trunk)
        var elements = tags.map { Tag(id: $0, mode: $0 == nativeTag ? nativeMode : nil) }
        try x.elements("tag", &elements)
        guard x.isReading else { return }
        try take(elements)
        isTrunk = tags.count > 1
        if let trunk { try check(trunk: trunk) }
    }

    private mutating func take(_ elements: [Tag]) throws(VirtError) {
        guard !elements.isEmpty else {
            throw malformed("missing tag id - each <vlan> must have at least one <tag id='n'/> subelement")
        }
        for element in elements {
            tags.append(element.id)
            guard let mode = element.mode else { continue }
            guard nativeMode == nil else { throw malformed("duplicate native vlan setting") }
            nativeMode = mode
            nativeTag = element.id
        }
    }

    private mutating func check(trunk: String) throws(VirtError) {
        isTrunk = trunk.lowercased() == "yes"
        if isTrunk { return }
        if tags.count > 1 {
            throw malformed(
                "invalid \"trunk='\(trunk)'\" in <vlan> - trunk='yes' is required for more than one vlan tag")
        }
        if nativeMode != nil {
            throw malformed(
                "invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native vlan id")
        }
        guard trunk.lowercased() == "no" else {
            throw malformed("invalid \"trunk='\(trunk)'\" in <vlan> - must be yes or no")
        }
    }

    private func malformed(_ text: String) -> VirtError { VirtError(.xmlError, .none, text) }

    private struct Tag: XMLMappable {
        var id: UInt32 = 0
        var mode: NativeMode?

        mutating func map<M: ElementMapper>(_ x: inout M) throws {
            var given: UInt32? = id
            let failure = VirtError(.xmlError, .none, "missing or invalid vlan tag id attribute")
            try x.attribute("id", &given) { _ in failure }
            try x.attribute("nativeMode", &mode) {
                VirtError(.configUnsupported, .none, "Invalid \"nativeMode='\($0)'\" in vlan <tag> element")
            }
            guard x.isReading else { return }
            guard let given else { throw failure }
            guard given <= 4095 else {
                throw VirtError(.xmlError, .none, "vlan tag id \(given) too large (maximum 4095)")
            }
            id = given
        }
    }
}
