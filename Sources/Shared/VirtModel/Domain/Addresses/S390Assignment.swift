import VirtCore

extension DomainCompletion {
    /// Channels of s390 guests, from fe.0.0000 upwards.
    func assignCCW(_ domain: inout Domain) throws {
        var taken: Set<CCWAddress> = []
        var clash: CCWAddress?
        domain.visitInfos { device, info in
            if info.address == nil, device.isVirtio(ccw: true) || device.isVFIOCCW { info.address = .ccw(CCWAddress()) }
            guard case .ccw(let address) = info.address, address.devno != nil else { return }
            if !taken.insert(address).inserted, clash == nil { clash = address }
        }
        if let clash { throw VirtError(.xmlError, .none, "The CCW devno '\(clash.text)' is in use already ") }
        var next: UInt32 = 0
        var isFull = false
        domain.visitInfos { device, info in
            guard case .ccw(let address) = info.address, address.devno == nil else { return }
            // Devices passed through are in the first channel subsystem where the guest chooses nothing else.
            while taken.contains(CCWAddress(cssid: 0xFE, ssid: 0, devno: next)), next < 0xFFFF { next += 1 }
            let new = CCWAddress(cssid: 0xFE, ssid: 0, devno: next)
            if !taken.insert(new).inserted { isFull = true }
            info.address = .ccw(new)
        }
        if isFull { throw VirtError(.internalError, .none, "There are no more free CCW devnos.") }
    }
}

extension CCWAddress {
    /// As libvirt's errors name it: `fe.0.0001`.
    fileprivate var text: String {
        let digits = String(devno ?? 0, radix: 16)
        let padded = String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
        return "\(String(cssid ?? 0, radix: 16)).\(String(ssid ?? 0, radix: 16)).\(padded)"
    }
}

extension DeviceReference {
    fileprivate var isVFIOCCW: Bool {
        if case .hostdev(let one) = self { return one.type == .mdev && one.model == .vfioCCW }
        return false
    }
}

extension Domain {
    /// The identifiers of PCI devices on s390: one from 1, the other from 0 upwards.
    ///
    /// - Parameter controllers: the PCI controllers that were there before places were sought; new ones get none yet.
    mutating func assignZPCI(controllers: Set<UInt32>) throws {
        var uids: Set<UInt32> = []
        var fids: Set<UInt32> = []
        var failure: VirtError?
        visitInfos { device, info in
            guard let zpci = info.address?.pci?.zpci else { return }
            if let uid = zpci.uid, !uids.insert(uid).inserted { failure = failure ?? Self.taken("uid", uid) }
            if let fid = zpci.fid, !fids.insert(fid).inserted { failure = failure ?? Self.taken("fid", fid) }
        }
        if let failure { throw failure }
        // Those of which the user chose one half come first.
        for onlyPartial in [true, false] {
            visitInfos { device, info in
                guard device.hasZPCI(controllers), var address = info.address?.pci else { return }
                if onlyPartial, address.zpci == nil { return }
                var zpci = address.zpci ?? ZPCIAddress()
                if zpci.uid == nil { zpci.uid = Self.free(from: 1, &uids) }
                if zpci.fid == nil { zpci.fid = Self.free(from: 0, &fids) }
                address.zpci = zpci
                info.address = .pci(address)
            }
        }
    }

    private static func free(from first: UInt32, _ taken: inout Set<UInt32>) -> UInt32 {
        var id = first
        while !taken.insert(id).inserted { id &+= 1 }
        return id
    }

    private static func taken(_ name: String, _ id: UInt32) -> VirtError {
        VirtError(.internalError, .none, "zPCI \(name) \(id) is already reserved")
    }
}

extension DeviceReference {
    /// Whether the device has the identifiers at all.
    fileprivate func hasZPCI(_ controllers: Set<UInt32>) -> Bool {
        switch self {
        case .controller(let one):
            one.type != .pci || (one.index.map(controllers.contains) ?? false)
        case .serial, .parallel, .channel, .console, .smartcard, .nvram, .hub, .tpm, .panic, .redirectedDevice: false
        default: true
        }
    }
}
