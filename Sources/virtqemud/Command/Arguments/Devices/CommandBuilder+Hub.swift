import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addHubs() throws(VirtError) {
        for hub in devices.hubs {
            var properties: JSONObject = ["driver": "usb-hub", "id": .string(hub.info.alias ?? "")]
            try addAddress(hub.info, to: &properties)
            add(device: properties)
        }
    }
}
