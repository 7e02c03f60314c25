import QEMUCommand
import VirtCore
import VirtModel
import VirtXML

/// A `<cpu>` document as clients hand it in: of a host, or of a guest.
struct CPUDocument {
    enum Kind { case host, guest }

    var cpu: CPU
    var kind: Kind

    /// - Parameter expected: what the document has to be; nil lets an `<arch>` decide, which only hosts have.
    init(_ xml: String, as expected: Kind? = nil) throws {
        let root = try Self.root(xml)
        kind = try expected ?? Self.kind(root)
        if kind == .host { try Self.checkHost(root) }
        let model = root.child("model")?.text ?? ""
        if model.isEmpty { try Self.checkModelless(root, kind) }
        cpu = try ElementReader.read(root)
    }

    /// The document's root, which has to be a processor's.
    static func root(_ xml: String) throws(VirtError) -> XMLNode {
        let document = try XMLDocument.parse(xml, name: "CPU_definition", domain: .cpu)
        guard let root = document.root, root.name == "cpu" else {
            throw VirtError(.xmlError, .cpu, "XML does not contain expected 'cpu' element")
        }
        return root
    }

    private static func kind(_ root: XMLNode) throws(VirtError) -> Kind {
        guard root.child("arch") != nil else { return .guest }
        guard root.attribute("match") == nil else {
            throw VirtError(
                .xmlError, .cpu, "'arch' element cannot be used inside 'cpu' element with 'match' attribute'")
        }
        return .host
    }

    private static func checkHost(_ root: XMLNode) throws(VirtError) {
        guard root.attribute("mode") == nil else {
            throw VirtError(.configUnsupported, .cpu, "Attribute mode is only allowed for guest CPU")
        }
        guard let arch = root.child("arch")?.text, !arch.isEmpty else {
            throw VirtError(.xmlError, .cpu, "Missing CPU architecture")
        }
        guard Architecture.named(arch) != nil else {
            throw VirtError(.configUnsupported, .cpu, "Unknown architecture \(arch)")
        }
    }

    private static func checkModelless(_ root: XMLNode, _ kind: Kind) throws(VirtError) {
        if kind == .host { throw VirtError(.xmlError, .cpu, "Missing CPU model name") }
        if root.child("vendor") != nil {
            throw VirtError(.xmlError, .cpu, "CPU vendor specified without CPU model")
        }
        if root.child("feature") != nil, (root.attribute("mode") ?? "custom") == "custom" {
            throw VirtError(.xmlError, .cpu, "Non-empty feature list specified without CPU model")
        }
    }
}

extension [CPUDocument] {
    /// Reads the documents of a baseline call.
    init(_ documents: [String], as expected: CPUDocument.Kind? = nil) throws {
        guard !documents.isEmpty else { throw VirtError(.invalidArg, .cpu, "no CPUs given") }
        self = try documents.map { try CPUDocument($0, as: expected) }
    }

    /// The processors, each of which has to name its model.
    func cpus(_ domain: VirtError.Domain = .cpu) throws(VirtError) -> [CPU] {
        if let index = firstIndex(where: { ($0.cpu.model?.name ?? "").isEmpty }) {
            throw VirtError(.invalidArg, domain, "no CPU model specified at index \(index)")
        }
        return map(\.cpu)
    }
}
