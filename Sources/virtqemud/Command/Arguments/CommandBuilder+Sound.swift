import QEMUMonitor
import VirtCore
import VirtModel

/// Audio backends, sound cards, input devices.
extension CommandBuilder {
    mutating func addAudios() {
        for audio in devices.audios { add("-audiodev", JSONValue.object(audioProperties(audio)).description) }
    }

    private func audioProperties(_ audio: Audio) -> JSONObject {
        let drivers: [Audio.Kind: String] = [.pulseaudio: "pa", .file: "wav"]
        var properties: JSONObject = [
            "id": .string("audio\(audio.id)"), "driver": .string(drivers[audio.type] ?? audio.type.rawValue),
        ]
        properties.add("timer-period", audio.timerPeriod)
        properties.add("server", audio.serverName)
        properties.add("path", audio.path)
        properties.add("try-mmap", audio.tryMmap)
        properties.add("exclusive", audio.exclusive)
        properties.add("dsp-policy", audio.dspPolicy)
        properties.add("in", audio.input.flatMap { direction($0, audio.type) })
        properties.add("out", audio.output.flatMap { direction($0, audio.type) })
        return properties
    }

    private func direction(_ direction: Audio.Direction, _ type: Audio.Kind) -> JSONObject? {
        var properties = JSONObject()
        properties.add("mixing-engine", direction.mixingEngine)
        properties.add("fixed-settings", direction.fixedSettings)
        properties.add("voices", direction.voices)
        properties.add("buffer-length", direction.bufferLength)
        if let settings = direction.settings {
            properties.add("frequency", settings.frequency)
            properties.add("channels", settings.channels)
            properties.add("format", settings.format?.rawValue)
        }
        properties.add("dev", direction.dev)
        properties.add("server-name", direction.serverName)
        properties.add("client-name", direction.clientName)
        properties.add("connect-ports", direction.connectPorts)
        properties.add("exact-name", direction.exactName)
        properties.add("name", direction.name)
        properties.add("stream-name", direction.streamName)
        properties.add("latency", direction.latency)
        properties.add("buffer-count", direction.bufferCount)
        properties.add("try-poll", direction.tryPoll)
        return properties.members.isEmpty ? nil : properties
    }

    // MARK: Sound cards

    private static let soundDrivers: [Sound.Model: String] = [
        .es1370: "ES1370", .ac97: "AC97", .ich6: "intel-hda", .ich9: "ich9-intel-hda", .usb: "usb-audio", .sb16: "sb16",
    ]

    mutating func addSounds() throws(VirtError) {
        for sound in devices.sounds {
            guard sound.model != .pcspk else {
                add("-soundhw", "pcspk")
                continue
            }
            guard let driver = Self.soundDrivers[sound.model] else {
                throw VirtError(
                    .configUnsupported, .qemu, "sound card model '\(sound.model.rawValue)' is not supported by qemu")
            }
            let alias = sound.info.alias ?? ""
            let audio = "audio\(sound.audioID ?? devices.audios.first?.id ?? 1)"
            var properties: JSONObject = ["driver": .string(driver), "id": .string(alias)]
            let isHDA = sound.model == .ich6 || sound.model == .ich9
            if !isHDA { properties.add("audiodev", audio) }
            if let multichannel = sound.multichannel { properties.add("multi", multichannel) }
            try addAddress(sound.info, to: &properties)
            add(device: properties)
            if isHDA { addCodecs(sound, alias, audio) }
        }
    }

    private mutating func addCodecs(_ sound: Sound, _ alias: String, _ audio: String) {
        let codecs = sound.codecs.isEmpty ? [Sound.Codec()] : sound.codecs
        for (index, codec) in codecs.enumerated() {
            add(device: [
                "driver": .string("hda-\(codec.type.rawValue)"), "id": .string("\(alias)-codec\(index)"),
                "bus": .string(alias + ".0"), "cad": .integer(index), "audiodev": .string(audio),
            ])
        }
    }

    // MARK: Input

    mutating func addInputs() throws(VirtError) {
        for input in devices.inputs {
            if input.type == .evdev {
                add(object: eventDevice(input))
                continue
            }
            guard let driver = inputDriver(input) else { continue }
            var properties: JSONObject = ["driver": .string(driver)]
            if input.bus == .virtio { addVirtio(input.virtio, to: &properties) }
            properties.add("id", input.info.alias)
            if input.type == .passthrough { properties.add("evdev", input.source?.path) }
            try addAddress(input.info, to: &properties)
            addZPCI(input.info)
            add(device: properties)
        }
    }

    private func eventDevice(_ input: Input) -> JSONObject {
        var properties: JSONObject = ["qom-type": "input-linux", "id": .string(input.info.alias ?? "")]
        properties.add("evdev", input.source?.path)
        if input.source?.repeats == true { properties.add("repeat", true) }
        if input.source?.grab == .all { properties.add("grab_all", true) }
        properties.add("grab-toggle", input.source?.grabToggle?.rawValue)
        return properties
    }

    /// nil for those that come with the machine.
    private func inputDriver(_ input: Input) -> String? {
        switch (input.bus, input.type) {
        case (.usb, .mouse): "usb-mouse"
        case (.usb, .tablet): "usb-tablet"
        case (.usb, .keyboard): "usb-kbd"
        case (.virtio, .mouse): virtioDriver("virtio-mouse", input.info, model: input.model?.rawValue)
        case (.virtio, .tablet): virtioDriver("virtio-tablet", input.info, model: input.model?.rawValue)
        case (.virtio, .keyboard): virtioDriver("virtio-keyboard", input.info, model: input.model?.rawValue)
        case (.virtio, .passthrough): virtioDriver("virtio-input-host", input.info, model: input.model?.rawValue)
        default: nil
        }
    }
}
