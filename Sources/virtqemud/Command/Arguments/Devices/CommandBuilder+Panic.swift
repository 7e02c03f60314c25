import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addPanics() throws(VirtError) {
        for panic in devices.panics {
            switch panic.model {
            case .isa, .pvpanic, .default, nil:
                var properties: JSONObject = ["driver": panic.model == .pvpanic ? "pvpanic-pci" : "pvpanic"]
                if case .isa(let isa) = panic.info.address { properties.add("ioport", isa.iobase) }
                if panic.model == .pvpanic { try addAddress(panic.info, to: &properties) }
                add(device: properties)
            case .pseries, .hyperv, .s390: continue
            }
        }
    }
}
