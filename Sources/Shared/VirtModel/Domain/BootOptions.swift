package import VirtCore
package import VirtXML

/// What the firmware boots, and how (`<os>` besides the machine).
package enum BootOptions {
    package enum Device: String, XMLEnum { case fd, hd, cdrom, network }

    /// An s390 load parameter: 1 to 8 characters of a small set, in upper case.
    package static func checkedLoadparm(_ text: String) throws(VirtError) -> String {
        guard (1...8).contains(text.utf8.count) else {
            throw VirtError(
                .internalError, .domain, "loadparm value '\(text)' must be between 1 and 8 characters")
        }
        let upper = text.uppercased()
        for byte in upper.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: " "),
                UInt8(ascii: "."):
                continue
            default:
                throw VirtError(
                    .internalError, .domain,
                    "invalid loadparm char '\(Character(UnicodeScalar(byte)))', expecting chars in set of "
                        + "[a-zA-Z0-9.] and blank spaces"
                )
            }
        }
        return upper
    }

    /// The boot menu.
    package struct Menu: Equatable, Sendable, XMLMappable {
        package var enable: Bool?
        package var timeout: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("enable", &enable)
            try x.attribute("timeout", &timeout)
            guard x.isReading else { return }
            if let timeout, timeout > 65535 {
                throw VirtError.unsupported("invalid value for boot menu timeout, must be in range [0,65535]")
            }
            if enable != true { timeout = nil }
        }
    }

    /// The BIOS's serial console and its reaction to a failed boot.
    package struct BIOS: Equatable, Sendable, XMLMappable {
        package var useSerial: Bool?
        package var rebootTimeout: Int32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("useserial", &useSerial)
            try x.attribute("rebootTimeout", &rebootTimeout)
            if x.isReading, let rebootTimeout, !(-1...65535).contains(rebootTimeout) {
                throw VirtError.malformed("invalid value for rebootTimeout, must be in range [-1,65535]")
            }
        }
    }
}
