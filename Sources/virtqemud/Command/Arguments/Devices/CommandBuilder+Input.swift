import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
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
