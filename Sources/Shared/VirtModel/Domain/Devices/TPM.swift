package import VirtCore
package import VirtXML

/// A trusted platform module (`<tpm>`).
package struct TPM: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum {
        case tis = "tpm-tis"
        case crb = "tpm-crb"
        case spapr = "tpm-spapr"
        case spaprProxy = "spapr-tpm-proxy"
    }
    package enum Backend: String, XMLEnum { case passthrough, emulator, external }
    package enum Version: String, XMLEnum {
        case v1 = "1.2"
        case v2 = "2.0"
    }

    package var model: Model?
    package var backend = Backend.passthrough
    package var version: Version?
    package var persistentState: Bool?
    package var devicePath: String?
    package var encryptionSecret: UUID?
    package var activePCRBanks: [String] = []
    package var externalSource: CharacterSource?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("model", &model)
        var hasBackend = false
        try x.group("backend") { x in
            hasBackend = true
            try mapBackend(&x)
        }
        if !hasBackend { throw VirtError.malformed("missing TPM device backend") }
        try info.map(&x)
    }

    private mutating func mapBackend<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &backend)
        switch backend {
        case .passthrough: try x.valueElement("device", "path", &devicePath)
        case .emulator:
            try x.attribute("version", &version)
            try x.attribute("persistent_state", &persistentState)
            try x.group("encryption") { try $0.attribute("secret", &encryptionSecret) }
        case .external: break
        }
    }
}
