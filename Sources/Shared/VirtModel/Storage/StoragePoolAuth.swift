package import VirtCore
package import VirtXML

/// Who a pool logs in as (`<auth>`), with the secret that holds the password.
package struct StoragePoolAuth: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum { case chap, ceph }

    package var type: Kind?
    package var userName: String?
    package var secret: StorageSecret?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type, invalid: .unsupported("unknown auth type", domain: .storage))
        try x.attribute("username", &userName)
        try x.element("secret", &secret)
        guard x.isReading else { return }
        if userName == nil { throw VirtError(.xmlError, .storage, "missing username for auth") }
        if secret == nil { throw VirtError(.xmlError, .storage, "Missing <secret> element in auth") }
        if type == nil { throw VirtError(.configUnsupported, .storage, "storage pool missing auth type") }
    }
}

/// A secret by its UUID or by what it is used for.
package struct StorageSecret: Equatable, Sendable, XMLMappable {
    /// "passphrase", for volumes.
    package var type: String?
    package var usage: String?
    package var uuid: UUID?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type)
        try x.attribute("usage", &usage)
        var text = uuid?.description
        try x.attribute("uuid", &text)
        guard x.isReading else { return }
        if text != nil, usage != nil { throw VirtError(.xmlError, .none, "either secret uuid or usage expected") }
        if text == nil, usage == nil { throw VirtError(.xmlError, .none, "missing secret uuid or usage attribute") }
        guard let text else { return }
        guard let read = UUID(parsing: text) else {
            throw VirtError(.xmlError, .none, "invalid secret uuid '\(text)'")
        }
        uuid = read
    }
}
