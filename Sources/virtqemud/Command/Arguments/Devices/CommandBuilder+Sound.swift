import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
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
}
