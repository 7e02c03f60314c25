import VirtCore
package import VirtXML

/// How a volume is encrypted (`<encryption>`).
package struct StorageVolumeEncryption: Equatable, Sendable {
    package enum Format: String, XMLEnum { case `default`, qcow, luks, luks2 }
    package enum Engine: String, StorageEnum { case qemu, librbd }

    package struct Cipher: Equatable, Sendable {
        package var name = ""
        package var size: UInt32 = 0
        package var mode: String?
        package var hash: String?
        package init() {}
    }

    package struct InitializationVector: Equatable, Sendable {
        package var name = ""
        package var hash: String?
        package init() {}
    }

    package var format = Format.luks
    package var engine: Engine?
    package var secrets: [StorageSecret] = []
    package var cipher: Cipher?
    package var generator: InitializationVector?
    /// Where the payload starts, found out from the header; in bytes.
    package var payloadOffset: UInt64?

    package init() {}

    package init(_ format: Format, payloadOffset: UInt64? = nil) {
        self.format = format
        self.payloadOffset = payloadOffset
    }
}

extension StorageVolumeEncryption: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var word: String? = x.isReading ? nil : format.rawValue
        try x.attribute("format", &word)
        try x.attribute("engine", &engine)
        try x.elements("secret", &secrets)
        try x.element("cipher", &cipher)
        try x.element("ivgen", &generator)
        guard x.isReading else { return }
        guard let word else { throw VirtError(.xmlError, .storage, "unknown volume encryption format") }
        guard let known = Format(rawValue: word) else {
            throw VirtError(.configUnsupported, .storage, "unknown volume encryption format type \(word)")
        }
        format = known
        for secret in secrets {
            guard let type = secret.type else {
                throw VirtError(.xmlError, .storage, "unknown volume encryption secret type")
            }
            guard type == "passphrase" else {
                throw VirtError(.configUnsupported, .storage, "unknown volume encryption secret type \(type)")
            }
        }
    }
}

extension StorageVolumeEncryption.Cipher: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.required("size", &size)
        try x.attribute("mode", &mode)
        try x.attribute("hash", &hash)
    }
}

extension StorageVolumeEncryption.InitializationVector: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.attribute("hash", &hash)
    }
}
