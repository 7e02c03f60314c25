import VirtCore
package import VirtXML

/// Where the guest's sound goes (`<audio>`).
package struct Audio: GuestDevice {
    package enum Kind: String, XMLEnum { case none, alsa, coreaudio, jack, oss, pulseaudio, sdl, spice, file, dbus }

    package var id: UInt32 = 1
    package var type = Kind.none
    package var timerPeriod: UInt32?
    package var serverName: String?
    package var driver: String?
    package var path: String?
    package var tryMmap: Bool?
    package var exclusive: Bool?
    package var dspPolicy: Int32?
    package var input: Direction?
    package var output: Direction?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("id", &id)
        try x.required("type", &type)
        try x.attribute("timerPeriod", &timerPeriod)
        try x.attribute("serverName", &serverName)
        try x.attribute("driver", &driver)
        try x.attribute("path", &path)
        try x.attribute("tryMMap", &tryMmap)
        try x.attribute("exclusive", &exclusive)
        try x.attribute("dspPolicy", &dspPolicy)
        try x.element("input", &input)
        try x.element("output", &output)
    }

    /// Recording or playing.
    package struct Direction: Equatable, Sendable, XMLMappable {
        package var mixingEngine: Bool?
        package var fixedSettings: Bool?
        package var voices: UInt32?
        package var bufferLength: UInt32?
        package var dev: String?
        package var tryPoll: Bool?
        package var bufferCount: UInt32?
        package var serverName: String?
        package var clientName: String?
        package var connectPorts: String?
        package var exactName: Bool?
        package var name: String?
        package var streamName: String?
        package var latency: UInt32?
        package var settings: Settings?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("mixingEngine", &mixingEngine)
            try x.attribute("fixedSettings", &fixedSettings)
            try x.attribute("voices", &voices)
            try x.attribute("bufferLength", &bufferLength)
            try x.attribute("dev", &dev)
            try x.attribute("bufferCount", &bufferCount)
            try x.attribute("tryPoll", &tryPoll)
            try x.attribute("serverName", &serverName)
            try x.attribute("clientName", &clientName)
            try x.attribute("connectPorts", &connectPorts)
            try x.attribute("exactName", &exactName)
            try x.attribute("name", &name)
            try x.attribute("streamName", &streamName)
            try x.attribute("latency", &latency)
            try x.element("settings", &settings)
        }
    }

    package struct Settings: Equatable, Sendable, XMLMappable {
        package enum Format: String, XMLEnum { case s8, u8, s16, u16, s32, u32, f32 }
        package var frequency: UInt32?
        package var channels: UInt32?
        package var format: Format?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("frequency", &frequency)
            try x.attribute("channels", &channels)
            try x.attribute("format", &format)
        }
    }
}

extension Audio {
    func validate(_ context: DomainValidation) throws(VirtError) {
        guard type == .spice, !context.devices.graphics.contains(where: { $0.type == .spice }) else { return }
        throw VirtError.unsupported("Spice audio is not supported without spice graphics", .qemu)
    }
}
