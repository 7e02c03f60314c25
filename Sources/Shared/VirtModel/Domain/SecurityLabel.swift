import VirtCore
package import VirtXML

/// A security driver's label of the guest's process (`<seclabel>`).
package struct SecurityLabel: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum { case none, dynamic, `static` }

    package var type: Kind?
    package var model: String?
    package var relabel: Bool?
    package var label: String?
    package var imageLabel: String?
    package var baseLabel: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type, invalid: .malformed("invalid security type"))
        try x.attribute("model", &model)
        try x.attribute("relabel", &relabel)
        let isDynamic = type == .dynamic || type == nil
        let isHidden = x.flags.contains(.inactive) && isDynamic
        if !isHidden {
            try x.textElement("label", &label)
            try x.textElement("imagelabel", &imageLabel)
        }
        try x.textElement("baselabel", &baseLabel)
        if x.isReading { settle() }
    }

    /// libvirt's defaults: dynamic labels relabel, others only when told.
    private mutating func settle() {
        if type == nil { type = .dynamic }
        if relabel == nil { relabel = type == .dynamic }
        if model == "none" { relabel = nil }
    }

    /// A label of one disk's image or one character device (`<seclabel>` inside of its source).
    package struct OfDevice: Equatable, Sendable, XMLMappable {
        package var model: String?
        package var relabel: Bool?
        package var labelSkip: Bool?
        package var label: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("model", &model)
            try x.attribute("labelskip", &labelSkip)
            if labelSkip != true { try x.attribute("relabel", &relabel) }
            try x.textElement("label", &label)
            if x.isReading, relabel == nil, labelSkip != true { relabel = true }
        }
    }
}
