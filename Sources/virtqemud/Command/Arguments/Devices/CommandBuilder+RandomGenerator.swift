import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addRandomGenerators() throws(VirtError) {
        for rng in devices.rngs { try add(rng) }
    }

    private mutating func add(_ rng: RandomGenerator) throws(VirtError) {
        let alias = rng.info.alias ?? ""
        var object: JSONObject = ["qom-type": .string("rng-\(rng.backend.rawValue)"), "id": .string("obj\(alias)")]
        switch rng.backend {
        case .random: object.add("filename", rng.device ?? "/dev/urandom")
        case .egd:
            try add(chardev: rng.source, alias)
            object.add("chardev", "char\(alias)")
        case .builtin: break
        }
        add(object: object)
        var properties: JSONObject = [
            "driver": .string(virtioDriver("virtio-rng", rng.info, model: rng.model.rawValue))
        ]
        addVirtio(rng.virtio, to: &properties)
        properties.add("rng", "obj\(alias)")
        properties.add("id", alias)
        if let bytes = rng.rateBytes {
            properties.add("max-bytes", bytes)
            properties.add("period", rng.ratePeriod ?? 1000)
        }
        try addAddress(rng.info, to: &properties)
        addZPCI(rng.info)
        add(device: properties)
    }
}
