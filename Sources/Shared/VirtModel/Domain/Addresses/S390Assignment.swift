import VirtCore

extension DomainCompletion {
    /// Channels of s390 guests, from fe.0.0000 upwards.
    func assignCCW(_ domain: inout Domain) throws {
        var given = GivenChannels()
        try domain.visitDevices(&given)
        if let clash = given.clash {
            throw VirtError(.xmlError, .none, "The CCW devno '\(clash.text)' is in use already ")
        }
        var free = FreeChannels(taken: given.taken)
        try domain.visitDevices(&free)
    }
}

/// The channels that the document gives; virtio devices without an address are to be given one.
private struct GivenChannels: DeviceVisitor {
    private(set) var taken: Set<CCWAddress> = []
    private(set) var clash: CCWAddress?

    mutating func visit(_ device: inout some AddressedDevice) {
        if device.info.address == nil, device.isVirtio(ccw: true) || device.isVFIOCCW {
            device.info.address = .ccw(CCWAddress())
        }
        guard case .ccw(let address) = device.info.address, address.devno != nil else { return }
        if !taken.insert(address).inserted, clash == nil { clash = address }
    }
}

/// Channels for devices that have none yet.
private struct FreeChannels: DeviceVisitor {
    var taken: Set<CCWAddress>
    private var next: UInt32 = 0

    init(taken: Set<CCWAddress>) { self.taken = taken }

    mutating func visit(_ device: inout some AddressedDevice) throws {
        guard case .ccw(let address) = device.info.address, address.devno == nil else { return }
        // Devices passed through are in the first channel subsystem where the guest chooses nothing else.
        while taken.contains(CCWAddress(cssid: 0xFE, ssid: 0, devno: next)), next < 0xFFFF { next += 1 }
        let new = CCWAddress(cssid: 0xFE, ssid: 0, devno: next)
        guard taken.insert(new).inserted else {
            throw VirtError(.internalError, .none, "There are no more free CCW devnos.")
        }
        device.info.address = .ccw(new)
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

extension Domain {
    /// The identifiers of PCI devices on s390: one from 1, the other from 0 upwards.
    ///
    /// - Parameter controllers: the PCI controllers that were there before places were sought; new ones get none yet.
    mutating func assignZPCI(controllers: Set<UInt32>) throws {
        var identifiers = ZPCIIdentifiers(controllers: controllers)
        try eachInfo { info in try identifiers.take(info) }
        // Those of which the user chose one half come first.
        for onlyPartial in [true, false] {
            identifiers.onlyPartial = onlyPartial
            try visitDevices(&identifiers)
        }
    }
}

/// The identifiers that are taken, for giving devices free ones.
private struct ZPCIIdentifiers: DeviceVisitor {
    let controllers: Set<UInt32>
    var onlyPartial = true
    private var uids: Set<UInt32> = []
    private var fids: Set<UInt32> = []

    init(controllers: Set<UInt32>) { self.controllers = controllers }

    mutating func take(_ info: DeviceInfo) throws {
        guard let zpci = info.address?.pci?.zpci else { return }
        if let uid = zpci.uid, !uids.insert(uid).inserted { throw Self.taken("uid", uid) }
        if let fid = zpci.fid, !fids.insert(fid).inserted { throw Self.taken("fid", fid) }
    }

    mutating func visit(_ device: inout some AddressedDevice) {
        guard device.hasZPCI(controllers), var address = device.info.address?.pci else { return }
        if onlyPartial, address.zpci == nil { return }
        var zpci = address.zpci ?? ZPCIAddress()
        if zpci.uid == nil { zpci.uid = Self.free(from: 1, &uids) }
        if zpci.fid == nil { zpci.fid = Self.free(from: 0, &fids) }
        address.zpci = zpci
        device.info.address = .pci(address)
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
