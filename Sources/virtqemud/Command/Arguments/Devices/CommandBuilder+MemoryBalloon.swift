import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addBalloon() throws(VirtError) {
        guard let balloon = devices.memballoon, balloon.model != .none, balloon.model != .xen else { return }
        let driver = virtioDriver("virtio-balloon", balloon.info, model: balloon.model.rawValue)
        var properties: JSONObject = ["driver": .string(driver)]
        addVirtio(balloon.virtio, to: &properties)
        properties.add("id", balloon.info.alias)
        properties.add("deflate-on-oom", balloon.autodeflate)
        properties.add("free-page-reporting", balloon.freePageReporting)
        try addAddress(balloon.info, to: &properties)
        addZPCI(balloon.info)
        add(device: properties)
    }
}
