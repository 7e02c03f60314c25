package import VirtCore
package import VirtXML

/// A trusted platform module (`<tpm>`).
package struct TPM: GuestDevice {
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
            try x.group("active_pcr_banks") { try mapBanks(&$0) }
        case .external:
            var source = externalSource ?? CharacterSource(.unix)
            var found = externalSource != nil
            try x.group("source") { x in
                found = true
                try source.mapSocket(&x)
            }
            externalSource = found ? source : nil
        }
    }

    /// The hashes that the module keeps its measurements in, each one an empty element.
    private mutating func mapBanks<M: ElementMapper>(_ x: inout M) throws {
        var sha1 = activePCRBanks.contains("sha1")
        var sha256 = activePCRBanks.contains("sha256")
        var sha384 = activePCRBanks.contains("sha384")
        var sha512 = activePCRBanks.contains("sha512")
        try x.presence("sha1", &sha1)
        try x.presence("sha256", &sha256)
        try x.presence("sha384", &sha384)
        try x.presence("sha512", &sha512)
        let banks = [("sha1", sha1), ("sha256", sha256), ("sha384", sha384), ("sha512", sha512)]
        activePCRBanks = banks.filter(\.1).map(\.0)
    }
}

extension TPM {
    mutating func complete(_ context: DomainCompletion) {
        if model == nil { model = context.machine.isPPC64 ? .spapr : .tis }
    }

    static func validate(all devices: [TPM], _ context: DomainValidation) throws(VirtError) {
        if devices.count(where: { $0.model != .spaprProxy }) > 1 {
            throw VirtError.unsupported("only a single TPM non-proxy device is supported", .qemu)
        }
        if devices.count(where: { $0.model == .spaprProxy }) > 1 {
            throw VirtError.unsupported("only a single TPM Proxy device is supported", .qemu)
        }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if backend == .external, externalSource == nil {
            throw VirtError.malformed("missing external TPM backend type")
        }
        let emulator = context.emulator
        let isKnown =
            switch model {
            case .tis: emulator.has("tpm-tis") || emulator.has("tpm-tis-device")
            case .crb: emulator.has("tpm-crb")
            case .spapr: emulator.has("tpm-spapr")
            case .spaprProxy: emulator.has("spapr-tpm-proxy")
            case nil: true
            }
        guard isKnown else {
            throw VirtError.unsupported(
                "The QEMU executable \(emulator.path) does not support TPM model \(model?.rawValue ?? "")", .qemu)
        }
        guard backend == .emulator, !context.host.tpmVersions.contains(version ?? .v2) else { return }
        throw VirtError.unsupported("TPM version '\((version ?? .v2).rawValue)' is not supported", .qemu)
    }
}

extension TPM: PlainDevice {}
