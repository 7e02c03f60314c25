package import VirtXML

/// Where a display can be reached (`<listen>`).
package struct GraphicsListen: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum { case none, address, network, socket }

    package var type = Kind.address
    /// For a network of a running guest: the network's address on the host.
    package var address: String?
    package var network: String?
    package var socket: String?
    /// libvirt chose the socket's path or the address.
    package var isGenerated = false

    package init() {}
    package init(address: String?) { self.address = address }
    package init(socket: String?) {
        type = .socket
        self.socket = socket
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        let isDefinition = x.flags.contains(.inactive)
        switch type {
        case .none: break
        case .address: try x.attribute("address", &address)
        case .network:
            try x.attribute("network", &network)
            if x.isReading ? x.flags.contains(.status) : !isDefinition { try x.attribute("address", &address) }
        case .socket:
            if !(x.isWriting && isDefinition && isGenerated) { try x.attribute("socket", &socket) }
        }
        if x.isReading, address?.isEmpty == true { address = nil }
    }
}

/// The parts of `<graphics type='spice'>` that only SPICE has.
package struct SpiceOptions: Equatable, Sendable {
    package struct Channel: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var mode = "any"

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.required("mode", &mode)
        }
    }

    package var channels: [Channel] = []
    package var imageCompression: String?
    package var jpegCompression: String?
    package var zlibCompression: String?
    package var playbackCompression: Bool?
    package var streamingMode: String?
    package var mouseMode: String?
    package var clipboardCopyPaste: Bool?
    package var fileTransfer: Bool?

    package init() {}

    mutating func mapChildren<M: ElementMapper>(_ x: inout M) throws {
        try x.elements("channel", &channels)
        try x.valueElement("image", "compression", &imageCompression)
        try x.valueElement("jpeg", "compression", &jpegCompression)
        try x.valueElement("zlib", "compression", &zlibCompression)
        try x.valueElement("playback", "compression", &playbackCompression, .onOff)
        try x.valueElement("streaming", "mode", &streamingMode)
        try x.valueElement("mouse", "mode", &mouseMode)
        try x.valueElement("clipboard", "copypaste", &clipboardCopyPaste)
        try x.valueElement("filetransfer", "enable", &fileTransfer)
    }
}
