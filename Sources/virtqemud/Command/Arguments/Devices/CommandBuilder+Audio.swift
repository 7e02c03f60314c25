import QEMUMonitor
import VirtCore
import VirtModel

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
}
