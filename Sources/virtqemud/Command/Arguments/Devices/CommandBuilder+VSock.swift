import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addVSock() throws(VirtError) {
        guard let vsock = devices.vsock else { return }
        let alias = vsock.info.alias ?? "vsock0"
        let driver = virtioDriver("vhost-vsock", vsock.info, model: vsock.model?.rawValue)
        var properties: JSONObject = ["driver": .string(driver)]
        addVirtio(vsock.virtio, to: &properties)
        properties.add("id", alias)
        properties.add("guest-cid", vsock.cid ?? 0)
        properties.add("vhostfd", String(environment.vhostDescriptors[alias] ?? -1))
        try addAddress(vsock.info, to: &properties)
        add(device: properties)
    }
}
