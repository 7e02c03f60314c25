package import VirtXML

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
        if x.isReading { channels.removeAll { $0.mode == "any" } }
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
