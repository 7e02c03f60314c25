import VirtCore
import VirtXML

/// libvirt's list of processor models and features, /usr/share/libvirt/cpu_map.
package struct CPUMap: Sendable {
    /// One bit group of CPUID or of a model-specific register that tells of a feature.
    package struct Bits: Sendable, Hashable {
        package enum Source: Sendable, Hashable {
            case cpuid(leaf: UInt32, subleaf: UInt32)
            case register(UInt32)
        }

        package var source: Source
        /// eax, ebx, ecx, edx.
        package var masks: [UInt32]
    }

    package struct Feature: Sendable {
        package var name: String
        /// QEMU's other names of it.
        package var aliases: [String] = []
        package var isMigratable = true
        package var bits: [Bits] = []
    }

    package struct Signature: Sendable, Hashable {
        package var family: UInt32
        package var model: UInt32
        /// nil stands for every one.
        package var steppings: [UInt32]?

        func matches(_ identity: CPUIdentity) -> Bool {
            family == identity.family && model == identity.model
                && (steppings.map { $0.contains(identity.stepping) } ?? true)
        }
    }

    package struct Model: Sendable {
        package var name: String
        package var vendor: String?
        package var signatures: [Signature] = []
        package var features: Set<String> = []
        /// Features that QEMU's model once had: a guest says so when it doesn't want them.
        package var removed: [String] = []
        package var decodesHost = true
        package var decodesGuest = true
    }

    /// Vendors by the string that the processor says.
    package private(set) var vendors: [String: String] = [:]
    package private(set) var features: [Feature] = []
    package private(set) var models: [Model] = []
    private var featureNames: [String: String] = [:]

    /// Reads the map of an architecture family: `x86`, `ppc64`, `arm`.
    ///
    /// - Parameter read: gives the contents of a file of the map's directory.
    package init(family: String, read: (String) throws -> [UInt8]) throws {
        let index = try Self.root(try read("index.xml"))
        guard let arch = index.children("arch").first(where: { $0.attribute("name") == family }) else { return }
        for include in arch.children where include.name == "include" {
            guard let file = include.attribute("filename") else { continue }
            add(try Self.root(try read(file)))
        }
        for feature in features {
            for name in [feature.name] + feature.aliases { featureNames[name] = feature.name }
        }
    }

    private static func root(_ bytes: [UInt8]) throws(VirtError) -> XMLNode {
        try XMLDocument.root("cpus", of: bytes, name: "(cpu_map)", domain: .cpu)
    }

    /// The map's name of a feature that QEMU calls so.
    package func featureName(_ name: String) -> String? { featureNames[name] }

    package func model(_ name: String) -> Model? { models.first { $0.name == name } }

    private mutating func add(_ root: XMLNode) {
        for node in root.children {
            switch node.name {
            case "vendor":
                guard let name = node.attribute("name") else { continue }
                vendors[node.attribute("string") ?? name] = name
            case "feature":
                if let feature = Self.feature(node) { features.append(feature) }
            case "model":
                if let model = model(node) { models.append(model) }
            default: continue
            }
        }
    }

    private static func feature(_ node: XMLNode) -> Feature? {
        guard let name = node.attribute("name") else { return nil }
        var feature = Feature(name: name)
        feature.isMigratable = node.attribute("migratable") != "no"
        feature.aliases = node.children("alias").compactMap { $0.attribute("name") }
        for child in node.children {
            let masks = [
                child.attribute("eax"), child.attribute("ebx"), child.attribute("ecx"), child.attribute("edx"),
            ]
            let values = masks.map(number)
            switch child.name {
            case "cpuid":
                let source = Bits.Source.cpuid(
                    leaf: number(child.attribute("eax_in")), subleaf: number(child.attribute("ecx_in")))
                feature.bits.append(Bits(source: source, masks: values))
            case "msr":
                feature.bits.append(Bits(source: .register(number(child.attribute("index"))), masks: values))
            default: continue
            }
        }
        return feature
    }

    private static func number(_ text: String?) -> UInt32 { text.flatMap { IntegerText.parse($0, anyBase: true) } ?? 0 }

    private func model(_ node: XMLNode) -> Model? {
        guard let name = node.attribute("name") else { return nil }
        var model = Model(name: name)
        // A model within a model is the one that this one is made from.
        if let ancestor = node.child("model")?.attribute("name"), let base = self.model(ancestor) {
            model.features = base.features
            model.vendor = base.vendor
            model.signatures = base.signatures
        }
        if let vendor = node.child("vendor")?.attribute("name") { model.vendor = vendor }
        model.decodesHost = node.child("decode")?.attribute("host") != "off"
        model.decodesGuest = node.child("decode")?.attribute("guest") != "off"
        let own = node.children("signature").compactMap(Self.signature)
        if !own.isEmpty { model.signatures = own }
        for feature in node.children("feature") {
            guard let name = feature.attribute("name") else { continue }
            if feature.attribute("removed") == "yes" {
                model.removed.append(name)
                model.features.remove(name)
            } else {
                model.features.insert(name)
            }
        }
        return model
    }

    private static func signature(_ node: XMLNode) -> Signature? {
        guard let family = node.attribute("family").flatMap({ UInt32($0) }),
            let model = node.attribute("model").flatMap({ UInt32($0) })
        else { return nil }
        let steppings = node.attribute("stepping").map { text in
            text.split(separator: ",").flatMap { part -> [UInt32] in
                let ends = part.split(separator: "-").compactMap { UInt32($0) }
                guard let first = ends.first, let last = ends.last, first <= last, last < 16 else { return [] }
                return Array(first...last)
            }
        }
        return Signature(family: family, model: model, steppings: steppings)
    }
}

/// Who made a processor, and which one it is.
package struct CPUIdentity: Sendable, Hashable {
    /// The map's name: `Intel`, `AMD`.
    package var vendor: String?
    package var family: UInt32 = 0
    package var model: UInt32 = 0
    package var stepping: UInt32 = 0

    package init() {}

    /// Haswells whose transactional memory was switched off by their maker.
    var hasBrokenTSX: Bool {
        guard vendor == "Intel", family == 6 else { return false }
        return [60, 69, 70].contains(model) || (model == 63 && stepping < 4)
    }
}
