import VirtCore
package import VirtXML

extension Bandwidth: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        if let node = x.node {
            for name in ["inbound", "outbound"] where node.children.filter({ $0.name == name }).count > 1 {
                throw VirtError(.xmlDetail, .none, "Only one child <\(name)> element allowed")
            }
        }
        if x.isWriting {
            var shown = self
            if shown.inbound?.isEmpty == true { shown.inbound = nil }
            if shown.outbound?.isEmpty == true { shown.outbound = nil }
            try x.element("inbound", &shown.inbound)
            try x.element("outbound", &shown.outbound)
            return
        }
        try x.element("inbound", &inbound)
        try x.element("outbound", &outbound)
    }
}

extension Bandwidth.Rate: XMLMappable {
    /// Whether there is nothing to print.
    var isEmpty: Bool { average == 0 && floor == 0 }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var given: [UInt64?] = [average, peak, floor, burst].map { $0 == 0 ? nil : $0 }
        // What is printed can be read again: the others need an average, be it nought.
        if x.isWriting, given[1] != nil || given[3] != nil { given[0] = average }
        try x.attribute("average", &given[0]) { Self.invalid("average", $0) }
        try x.attribute("peak", &given[1]) { Self.invalid("peak", $0) }
        try x.attribute("floor", &given[2]) { Self.invalid("floor", $0) }
        try x.attribute("burst", &given[3]) { Self.invalid("burst", $0) }
        guard x.isReading else { return }
        if given[0] == nil, given[2] == nil {
            throw VirtError(.xmlDetail, .none, "Missing mandatory average or floor attributes")
        }
        if given[0] == nil, given[1] != nil || given[3] != nil {
            throw VirtError(.configUnsupported, .none, "'peak' and 'burst' require 'average' attribute")
        }
        average = given[0] ?? 0
        peak = given[1] ?? 0
        floor = given[2] ?? 0
        burst = given[3] ?? 0
    }

    private static func invalid(_ name: String, _ text: String) -> VirtError {
        VirtError(.configUnsupported, .none, "could not convert bandwidth \(name) value '\(text)'")
    }
}
