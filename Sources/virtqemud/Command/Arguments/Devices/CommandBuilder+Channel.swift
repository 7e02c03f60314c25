import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addChannels() throws(VirtError) {
        for channel in devices.channels {
            let alias = channel.info.alias ?? ""
            var source = channel.source
            if source.type == .unix, source.path == nil {
                source.path = environment.channelDirectory + "/" + channel.socketName
                source.mode = .bind
            }
            try add(chardev: source, alias)
            switch channel.target {
            case .guestfwd:
                let place = "tcp:\(channel.address ?? ""):\(channel.port ?? 0)-chardev:char\(alias)"
                add(netdev: ["type": "user", "guestfwd": [["str": .string(place)]], "id": .string(alias)])
            case .virtio: add(device: portDevice("virtserialport", channel.info, name: try Self.portName(channel)))
            case .xen: throw VirtError(.internalError, .qemu, "Xen channels are not supported with this hypervisor")
            }
        }
    }

    private static func portName(_ channel: Channel) throws(VirtError) -> String? {
        guard channel.source.type == .spicevmc else { return channel.name }
        if let name = channel.name, name != "com.redhat.spice.0" {
            throw VirtError(.configUnsupported, .qemu, "Unsupported spicevmc target name '\(name)'")
        }
        return "com.redhat.spice.0"
    }

    /// The guest's end of a channel or console: a port of a virtio-serial controller.
    func portDevice(_ driver: String, _ info: DeviceInfo, name: String?) -> JSONObject {
        let alias = info.alias ?? ""
        var properties: JSONObject = ["driver": .string(driver)]
        switch info.address {
        case .virtioSerial(let port):
            let bus = controllerAlias(.virtioSerial, port.controller) ?? "virtio-serial\(port.controller)"
            properties.add("bus", "\(bus).\(port.bus)")
            properties.add("nr", port.port)
        case .ccw(let ccw): properties.add("devno", Self.deviceNumber(ccw))
        default: break
        }
        properties.add("chardev", "char\(alias)")
        properties.add("id", alias)
        properties.add("name", name)
        return properties
    }
}
