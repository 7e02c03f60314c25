package import VirtXML

/// A lock that the guest holds while it runs (`<lease>`).
package struct Lease: GuestDevice {
    package var lockspace: String?
    package var key: String?
    package var path: String?
    package var offset: UInt64?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("lockspace", &lockspace)
        try x.textElement("key", &key)
        try x.group("target") { x in
            try x.attribute("path", &path)
            try x.attribute("offset", &offset)
        }
    }
}
