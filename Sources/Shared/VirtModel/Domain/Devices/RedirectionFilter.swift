package import VirtXML

/// Which USB devices a client may redirect (`<redirfilter>`).
package struct RedirectionFilter: Equatable, Sendable, XMLMappable {
    package struct USBDevice: Equatable, Sendable, XMLMappable {
        package var deviceClass: UInt32?
        package var vendor: UInt32?
        package var product: UInt32?
        package var version: String?
        package var allow = false

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try mapNumber("class", &deviceClass, 2, &x)
            try mapNumber("vendor", &vendor, 4, &x)
            try mapNumber("product", &product, 4, &x)
            try x.attribute("version", &version)
            if x.isReading { version = version.map(Self.padded) }
            try x.required("allow", &allow)
        }

        /// `2.0` is `2.00`.
        private static func padded(_ version: String) -> String {
            let parts = version.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 2 && parts[1].utf8.count == 1 ? version + "0" : version
        }

        /// A number, or -1 for any.
        private func mapNumber<M: ElementMapper>(
            _ name: StaticString, _ value: inout UInt32?, _ width: Int, _ x: inout M
        ) throws {
            var number = value.map { Int64($0) }
            try x.attribute(name, &number, .upperHex(width))
            if x.isReading { value = number.flatMap { UInt32(exactly: $0) } }
        }
    }

    package var devices: [USBDevice] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.elements("usbdev", &devices) }
}
