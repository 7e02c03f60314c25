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
        if x.isReading || type != SecurityLabel.Kind.none { try x.attribute("relabel", &relabel) }
        let isDynamic = type == .dynamic || type == nil
        let isHidden = x.flags.contains(.inactive) && isDynamic
        if !isHidden { try x.textElement("label", &label) }
        if !x.flags.contains(.inactive) { try x.textElement("imagelabel", &imageLabel) }
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
            if !x.flags.contains(.inactive) { try x.attribute("labelskip", &labelSkip) }
            if labelSkip != true { try x.attribute("relabel", &relabel) }
            try x.textElement("label", &label)
            if x.isReading, relabel == nil, labelSkip != true { relabel = true }
        }
    }
}

extension [SecurityLabel.OfDevice] {
    /// The labels of a device; those that say nothing are no part of a definition.
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var shown = self
        if x.isWriting, x.flags.contains(.inactive) { shown = filter { $0.label != nil || $0.relabel == false } }
        try x.elements("seclabel", &shown)
        if x.isReading { self = shown }
    }
}

extension Domain {
    /// A label without a model is of the host's; where there is none, it labels nothing.
    mutating func completeSecurityLabels(_ model: String) {
        guard securityLabels.count == 1, securityLabels[0].model == nil else { return }
        guard securityLabels[0].type != SecurityLabel.Kind.none || model == "none" else { return }
        securityLabels[0].model = model
        if model == "none" {
            securityLabels[0].type = SecurityLabel.Kind.none
            securityLabels[0].relabel = nil
        }
    }
}

extension SecurityLabel {
    static func validate(all labels: [SecurityLabel], _ context: DomainValidation) throws(VirtError) {
        var models: Set<String> = []
        for model in labels.compactMap(\.model) where !models.insert(model).inserted {
            throw VirtError(.xmlDetail, .domain, "seclabel for model \(model) is already provided")
        }
        if labels.count > 1, labels.contains(where: { $0.model == nil }) { throw missingModel }
        for disk in context.devices.disks where disk.source.labels.count > 1 {
            if disk.source.labels.contains(where: { $0.model == nil }) { throw missingModel }
        }
    }

    private static let missingModel = VirtError.malformed("missing security model when using multiple labels")
}
