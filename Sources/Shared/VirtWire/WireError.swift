package import VirtCore

/// An error as it travels (virNetMessageError), between daemons and to libvirt's clients.
package struct WireError: XDRCodable {
    /// The domain that an old peer names in an error.
    package struct Domain: XDRCodable {
        package var name: String
        package var uuid: UUID
        package var id: Int32

        package init(name: String, uuid: UUID, id: Int32) {
            self.name = name
            self.uuid = uuid
            self.id = id
        }
    }

    /// The network that an old peer names in an error.
    package struct Network: XDRCodable {
        package var name: String
        package var uuid: UUID

        package init(name: String, uuid: UUID) {
            self.name = name
            self.uuid = uuid
        }
    }

    package var code: Int32 = 0
    package var domainCode: Int32 = 0
    package var message: String?
    package var level: Int32 = 0
    package var domain: Domain?
    package var str1: String?
    package var str2: String?
    package var str3: String?
    package var int1: Int32 = 0
    package var int2: Int32 = 0
    package var network: Network?

    /// Texts that are too long to be sent are cut, so that an error always fits into a message.
    package init(_ error: VirtError) {
        code = error.code.rawValue
        domainCode = error.domain.rawValue
        message = WireError.sendable(error.message)
        level = error.level
        str1 = error.str1.map(WireError.sendable)
        str2 = error.str2.map(WireError.sendable)
        str3 = error.str3.map(WireError.sendable)
        int1 = error.int1
        int2 = error.int2
    }

    /// The error as the rest of the daemon knows it. Without a message it reads as its code's class does.
    package var error: VirtError {
        let code = VirtError.Code(rawValue: code)
        let domain = VirtError.Domain(rawValue: domainCode)
        let text = message ?? VirtError(code, domain).message
        var error = VirtError(code: code, domain: domain, verbatim: text)
        error.level = level
        error.str1 = str1
        error.str2 = str2
        error.str3 = str3
        error.int1 = int1
        error.int2 = int2
        return error
    }

    private static func sendable(_ text: String) -> String {
        let longest = MessageLimit.string
        let clean = text.utf8.contains(0) ? String(text.prefix { $0 != "\0" }) : text
        guard clean.utf8.count > longest else { return clean }
        return String(decoding: clean.utf8.prefix(longest - 8), as: UTF8.self)
    }
}

extension WireError.Domain {
    package init(from reader: inout XDRReader) throws(VirtError) {
        name = try reader.string(max: MessageLimit.string)
        uuid = try reader.uuid()
        id = try reader.int32()
    }

    package func encode(into writer: inout XDRWriter) {
        writer.string(name, max: MessageLimit.string)
        writer.uuid(uuid)
        writer.int32(id)
    }
}

extension WireError.Network {
    package init(from reader: inout XDRReader) throws(VirtError) {
        name = try reader.string(max: MessageLimit.string)
        uuid = try reader.uuid()
    }

    package func encode(into writer: inout XDRWriter) {
        writer.string(name, max: MessageLimit.string)
        writer.uuid(uuid)
    }
}

extension WireError {
    package init(from reader: inout XDRReader) throws(VirtError) {
        code = try reader.int32()
        domainCode = try reader.int32()
        message = try reader.optionalString(max: MessageLimit.string)
        level = try reader.int32()
        domain = try reader.optional(Domain.self)
        str1 = try reader.optionalString(max: MessageLimit.string)
        str2 = try reader.optionalString(max: MessageLimit.string)
        str3 = try reader.optionalString(max: MessageLimit.string)
        int1 = try reader.int32()
        int2 = try reader.int32()
        network = try reader.optional(Network.self)
    }

    package func encode(into writer: inout XDRWriter) {
        writer.int32(code)
        writer.int32(domainCode)
        writer.optionalString(message, max: MessageLimit.string)
        writer.int32(level)
        writer.optional(domain)
        writer.optionalString(str1, max: MessageLimit.string)
        writer.optionalString(str2, max: MessageLimit.string)
        writer.optionalString(str3, max: MessageLimit.string)
        writer.int32(int1)
        writer.int32(int2)
        writer.optional(network)
    }
}
