package import VirtCore
package import VirtXML

/// A user and where the password is (`<auth>`).
package struct StorageAuth: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum { case none, chap, ceph }

    package var type: Kind?
    package var userName: String?
    package var secret: SecretReference?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type)
        try x.attribute("username", &userName)
        try x.element("secret", &secret)
        if x.isReading, userName == nil { throw VirtError.malformed("missing username for auth", .storage) }
    }
}

/// A secret by its UUID or what it is used for (`<secret>`).
package struct SecretReference: Equatable, Sendable, XMLMappable {
    package var type: String?
    package var usage: String?
    package var uuid: UUID?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type)
        try x.attribute("usage", &usage)
        try x.attribute("uuid", &uuid)
        guard x.isReading else { return }
        if uuid == nil, usage == nil {
            throw VirtError.malformed("missing auth secret uuid or usage attribute", .storage)
        }
        if uuid != nil, usage != nil {
            throw VirtError.malformed("either auth secret uuid or usage expected", .storage)
        }
    }
}

/// How an image is encrypted (`<encryption>`).
package struct StorageEncryption: Equatable, Sendable, XMLMappable {
    package enum Format: String, XMLEnum { case `default`, qcow, luks, luks2 }
    package enum Engine: String, XMLEnum { case qemu, librbd }

    package var format = Format.luks
    package var engine: Engine?
    package var secrets: [SecretReference] = []
    package var cipher: Cipher?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("format", &format)
        try x.attribute("engine", &engine)
        try x.elements("secret", &secrets)
        try x.element("cipher", &cipher)
    }

    package struct Cipher: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var size: UInt32?
        package var mode: String?
        package var hash: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.attribute("size", &size)
            try x.attribute("mode", &mode)
            try x.attribute("hash", &hash)
        }
    }
}
