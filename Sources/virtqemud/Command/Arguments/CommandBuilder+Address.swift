import QEMUMonitor
import VirtCore
import VirtModel

/// Where a device is plugged in, in QEMU's terms.
extension CommandBuilder {
    /// Appends the members that say where the device is.
    func addAddress(_ info: DeviceInfo, to properties: inout JSONObject) throws(VirtError) {
        guard let address = info.address else { return }
        switch address {
        case .pci(let pci): try addPCI(pci, info.acpiIndex, to: &properties)
        case .usb(let usb):
            properties.add("bus", try usbBus(usb.bus))
            if !usb.path.isEmpty { properties.add("port", usb.port) }
        case .spaprVIO(let vio): properties.add("reg", vio.reg)
        case .ccw(let ccw): properties.add("devno", Self.deviceNumber(ccw))
        case .isa(let isa):
            properties.add("iobase", isa.iobase)
            properties.add("irq", isa.irq)
        case .dimm(let dimm):
            properties.add("slot", dimm.slot)
            properties.add("addr", dimm.base)
        case .ccid(let ccid): properties.add("bus", "\(controllerAlias(.ccid, ccid.controller) ?? "ccid0").0")
        case .drive, .virtioSerial, .virtioMMIO, .unassigned: return
        }
    }

    private func addPCI(_ address: PCIAddress, _ acpiIndex: UInt32?, to properties: inout JSONObject) throws(VirtError)
    {
        properties.add("bus", try pciBus(address))
        if let multifunction = address.multifunction { properties.add("multifunction", multifunction) }
        var place = "0x" + String(address.slot, radix: 16)
        if address.function != 0 { place += ".0x" + String(address.function, radix: 16) }
        properties.add("addr", place)
        if let acpiIndex, acpiIndex != 0 { properties.add("acpi-index", acpiIndex) }
    }

    private func pciBus(_ address: PCIAddress) throws(VirtError) -> String {
        guard address.domain == 0 else {
            throw VirtError(.configUnsupported, .qemu, "Only PCI device addresses with domain=0 are supported")
        }
        let controller = devices.controllers.first { $0.type == .pci && $0.index == address.bus }
        guard let controller, let alias = controller.info.alias else {
            guard address.bus == 0 else {
                throw VirtError(
                    .internalError, .qemu,
                    "Could not find PCI controller with index '\(address.bus)' required for device")
            }
            return machine.hasPCIeRoot ? "pcie.0" : "pci.0"
        }
        if address.bus == 0, controller.info.isUserAlias { return machine.hasPCIeRoot ? "pcie.0" : "pci.0" }
        if controller.model == .pciRoot, machine.isPSeries, (controller.target?.index ?? 0) > 0 { return alias + ".0" }
        return alias
    }

    private func usbBus(_ index: UInt32) throws(VirtError) -> String {
        guard let alias = controllerAlias(.usb, index) else {
            throw VirtError(.internalError, .qemu, "Could not find USB controller with index \(index)")
        }
        return alias + ".0"
    }

    /// The alias of a controller; of those that share an index, the first.
    func controllerAlias(_ type: Controller.Kind, _ index: UInt32) -> String? {
        let controllers = devices.controllers.lazy.filter { $0.type == type && ($0.index ?? 0) == index }
        return (controllers.first { $0.model?.isICH9Companion != true } ?? controllers.first)?.info.alias
    }

    func controller(_ type: Controller.Kind, _ index: UInt32) -> Controller? {
        devices.controllers.first { $0.type == type && ($0.index ?? 0) == index }
    }

    static func deviceNumber(_ address: CCWAddress) -> String {
        let digits = String(address.devno ?? 0, radix: 16)
        let padded = String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
        return String(address.cssid ?? 0, radix: 16) + "." + String(address.ssid ?? 0, radix: 16) + "." + padded
    }

    /// The driver of a virtio device: its name with the bus that it is on, and the model's variant.
    func virtioDriver(_ name: String, _ info: DeviceInfo, model: String? = nil) -> String {
        switch info.address {
        case .ccw: return name + "-ccw"
        case .virtioMMIO: return name + "-device"
        case .pci, nil: break
        default: return name
        }
        switch model {
        case "virtio-transitional": return name + "-pci-transitional"
        case "virtio-non-transitional": return name + "-pci-non-transitional"
        default: return name + "-pci"
        }
    }

    /// The properties that stand before the others of a virtio device.
    func addVirtio(_ options: VirtioOptions, to properties: inout JSONObject) {
        properties.add("iommu_platform", options.iommu)
        properties.add("ats", options.ats)
        properties.add("packed", options.packed)
        properties.add("page-per-vq", options.pagePerVQ)
    }

    /// An s390 guest's own device for the identifiers of a PCI device.
    mutating func addZPCI(_ info: DeviceInfo) {
        guard case .pci(let address) = info.address, let zpci = address.zpci, let uid = zpci.uid, let fid = zpci.fid
        else {
            return
        }
        add(device: [
            "driver": "zpci", "uid": .integer(uid), "fid": .integer(fid), "target": .string(info.alias ?? ""),
            "id": .string("zpci\(uid)"),
        ])
    }
}
