import VirtCore
import VirtXML

extension DomainCompletion {
    /// Controllers for the drives, ports and readers that have an address on one.
    func addImplicitControllers(_ domain: inout Domain) throws {
        for (type, bus) in [(Controller.Kind.scsi, Disk.Bus.scsi), (.fdc, .fdc), (.ide, .ide), (.sata, .sata)] {
            try addControllers(type, bus, &domain)
        }
        addVirtioSerialControllers(&domain)
        addSmartcardControllers(&domain)
        try addSCSIHostControllers(&domain)
    }

    private func addControllers(_ type: Controller.Kind, _ bus: Disk.Bus, _ domain: inout Domain) throws {
        var last: UInt32?
        for index in domain.devices.disks.indices where domain.devices.disks[index].target.bus == bus {
            guard case .drive(let address) = domain.devices.disks[index].info.address else { continue }
            last = max(last ?? 0, address.controller)
        }
        guard let last else { return }
        try checkCount(last)
        for index in 0...last { domain.addController(type, index, nil) }
    }

    /// Numbers come from the document: none is so large that adding all below it hurts.
    private func checkCount(_ last: UInt32) throws {
        guard last < 1024 else { throw VirtError.malformed("controller index '\(last)' is too large") }
    }

    private func addVirtioSerialControllers(_ domain: inout Domain) {
        var numbers: [UInt32] = []
        for channel in domain.devices.channels where channel.target == .virtio {
            numbers.append(channel.info.address?.virtioSerialController ?? 0)
        }
        for console in domain.devices.consoles where console.target == .virtio {
            numbers.append(console.info.address?.virtioSerialController ?? 0)
        }
        for index in numbers { domain.addController(.virtioSerial, index, nil) }
    }

    private func addSmartcardControllers(_ domain: inout Domain) {
        for position in domain.devices.smartcards.indices {
            var index: UInt32 = 0
            if case .ccid(let address) = domain.devices.smartcards[position].info.address {
                index = address.controller
            } else if domain.devices.smartcards[position].info.address == nil {
                var address = CCIDAddress()
                address.slot = domain.nextSmartcardSlot()
                domain.devices.smartcards[position].info.address = .ccid(address)
            }
            domain.addController(.ccid, index, nil)
        }
    }

    /// SCSI devices of the host get a controller of the model that the others have.
    private func addSCSIHostControllers(_ domain: inout Domain) throws {
        var last: UInt32?
        var model: ControllerModel?
        for hostdev in domain.devices.hostdevs where hostdev.type == .scsi {
            guard case .drive(let address) = hostdev.info.address else { continue }
            guard last.map({ address.controller > $0 }) ?? true else { continue }
            last = address.controller
            if let known = domain.controller(.scsi, address.controller)?.model { model = known }
        }
        guard let last else { return }
        try checkCount(last)
        for index in 0...last { domain.addController(.scsi, index, model) }
    }
}

extension DeviceAddress {
    /// The virtio-serial controller that the address names.
    var virtioSerialController: UInt32? {
        if case .virtioSerial(let address) = self { return address.controller }
        return nil
    }
}

extension Domain {
    /// Controllers for SCSI devices of the host that have no address yet stand before those that the machine has.
    mutating func addEarlySCSIControllers() {
        for hostdev in devices.hostdevs where hostdev.type == .scsi && hostdev.info.address == nil {
            addController(.scsi, 0, nil)
        }
    }

    fileprivate func nextSmartcardSlot() -> UInt32 {
        let used = devices.smartcards.compactMap { card -> UInt32? in
            guard case .ccid(let address) = card.info.address, address.controller == 0 else { return nil }
            return address.slot
        }
        return used.max().map { $0 &+ 1 } ?? 0
    }
}
