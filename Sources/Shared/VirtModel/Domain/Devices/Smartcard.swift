import VirtCore
package import VirtXML

/// A smart card reader (`<smartcard>`).
package struct Smartcard: GuestDevice {
    package enum Mode: String, XMLEnum {
        case host, passthrough
        case hostCertificates = "host-certificates"
    }

    package var mode = Mode.host
    package var source = CharacterSource(.spicevmc)
    package var certificates: [String] = []
    package var database: String?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("mode", &mode)
        switch mode {
        case .host: break
        case .hostCertificates:
            try x.textElements("certificate", &certificates)
            try x.textElement("database", &database)
        case .passthrough:
            try source.mapType(&x)
            try source.map(&x)
        }
        try info.map(&x)
    }
}

extension Smartcard {
    func validate(_ context: DomainValidation) throws(VirtError) {
        switch mode {
        case .host: break
        case .passthrough: try source.validate(context)
        case .hostCertificates:
            guard certificates.count == 3 else {
                throw VirtError.malformed("host-certificates mode needs exactly three certificates")
            }
        }
    }
}

extension Smartcard: PlainDevice {}
