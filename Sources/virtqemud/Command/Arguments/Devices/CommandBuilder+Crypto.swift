import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addCryptos() throws(VirtError) {
        for crypto in devices.cryptos { try add(crypto) }
    }

    private mutating func add(_ crypto: Crypto) throws(VirtError) {
        let alias = crypto.info.alias ?? ""
        var object: JSONObject = [
            "qom-type": .string("cryptodev-backend-\(crypto.backend.rawValue)"), "id": .string("obj\(alias)"),
        ]
        object.add("queues", crypto.queues)
        add(object: object)
        var properties: JSONObject = ["driver": .string(virtioDriver("virtio-crypto", crypto.info))]
        addVirtio(crypto.virtio, to: &properties)
        properties.add("cryptodev", "obj\(alias)")
        properties.add("id", alias)
        try addAddress(crypto.info, to: &properties)
        add(device: properties)
    }
}
