import VirtCore
package import VirtXML

extension Features {
    /// Enlightenments for Windows guests (`<hyperv>`).
    package struct HyperV: Equatable, Sendable, XMLMappable {
        package enum Mode: String, XMLEnum { case custom, passthrough }

        package var mode: Mode?
        package var relaxed: Bool?
        package var vapic: Bool?
        package var spinlocks: Bool?
        package var spinlockRetries: UInt32?
        package var vpindex: Bool?
        package var runtime: Bool?
        package var synic: Bool?
        package var stimer: Bool?
        package var stimerDirect: Bool?
        package var reset: Bool?
        package var vendorID: Bool?
        package var vendorIDValue: String?
        package var frequencies: Bool?
        package var reenlightenment: Bool?
        package var tlbflush: Bool?
        package var ipi: Bool?
        package var evmcs: Bool?
        package var avic: Bool?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("mode", &mode)
            if x.isReading, mode == nil { mode = .custom }
            if mode == .passthrough { return }
            try x.valueElement("relaxed", "state", &relaxed, .onOff)
            try x.valueElement("vapic", "state", &vapic, .onOff)
            try x.group("spinlocks") { x in
                try x.attribute("state", &spinlocks, .onOff)
                try x.attribute("retries", &spinlockRetries)
            }
            try x.valueElement("vpindex", "state", &vpindex, .onOff)
            try x.valueElement("runtime", "state", &runtime, .onOff)
            try x.valueElement("synic", "state", &synic, .onOff)
            try x.group("stimer") { x in
                try x.attribute("state", &stimer, .onOff)
                try x.group("direct") { try $0.attribute("state", &stimerDirect, .onOff) }
            }
            try x.valueElement("reset", "state", &reset, .onOff)
            try x.group("vendor_id") { x in
                try x.attribute("state", &vendorID, .onOff)
                try x.attribute("value", &vendorIDValue)
            }
            try x.valueElement("frequencies", "state", &frequencies, .onOff)
            try x.valueElement("reenlightenment", "state", &reenlightenment, .onOff)
            try x.valueElement("tlbflush", "state", &tlbflush, .onOff)
            try x.valueElement("ipi", "state", &ipi, .onOff)
            try x.valueElement("evmcs", "state", &evmcs, .onOff)
            try x.valueElement("avic", "state", &avic, .onOff)
        }
    }
}

extension Features.HyperV {
    func validate() throws(VirtError) {
        if spinlocks == true, let spinlockRetries, spinlockRetries < 0xFFF {
            throw VirtError.malformed("HyperV spinlock retry count must be at least 4095")
        }
        if let vendorIDValue, vendorIDValue.utf8.count > 12 {
            throw VirtError.malformed("HyperV vendor_id value must not be more than 12 characters.")
        }
    }
}
