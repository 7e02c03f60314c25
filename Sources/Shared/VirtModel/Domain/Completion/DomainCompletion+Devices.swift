import VirtCore
import VirtXML

extension DomainCompletion {
    /// Each device by its own rules, in libvirt's order: later ones look at earlier ones.
    func completeDevices(_ domain: inout Domain) throws(VirtError) {
        try complete(&domain.devices.disks)
        try placeDrives(&domain)
        try complete(&domain.devices.interfaces)
        try complete(&domain.devices.sounds)
        try completeHostdevs(&domain)
        try complete(&domain.devices.videos)
        try complete(&domain.devices.controllers)
        try completeCharacterDevices(&domain.devices)
        try complete(&domain.devices.inputs)
        try complete(&domain.devices.filesystems)
        try complete(&domain.devices.watchdogs)
        try complete(&domain.devices.memballoon)
        try complete(&domain.devices.rngs)
        try complete(&domain.devices.nvram)
        try complete(&domain.devices.hubs)
        try complete(&domain.devices.sharedMemories)
        try complete(&domain.devices.tpms)
        try complete(&domain.devices.panics)
        try complete(&domain.devices.memories)
        try complete(&domain.devices.redirectedDevices)
        try complete(&domain.devices.vsock)
        try complete(&domain.devices.cryptos)
        try complete(&domain.devices.iommu)
        try complete(&domain.devices.graphics)
        try complete(&domain.devices.audios)
        try complete(&domain.devices.leases)
    }

    private func completeCharacterDevices(_ devices: inout Devices) throws(VirtError) {
        try complete(&devices.smartcards)
        try complete(&devices.serials)
        try complete(&devices.parallels)
        try complete(&devices.channels)
        try complete(&devices.consoles)
    }

    private func complete<Device: GuestDevice>(_ devices: inout [Device]) throws(VirtError) {
        for index in devices.indices { try devices[index].complete(self) }
        try Device.complete(all: &devices, self)
    }

    private func complete<Device: GuestDevice>(_ device: inout Device?) throws(VirtError) {
        try device?.complete(self)
    }

    // MARK: Places that disks and SCSI devices of the host share

    private func placeDrives(_ domain: inout Domain) throws(VirtError) {
        for index in domain.devices.disks.indices where domain.devices.disks[index].info.address == nil {
            guard let name = domain.devices.disks[index].target.dev,
                let place = try domain.devices.disks[index].drivePlace(name)
            else { continue }
            if domain.devices.disks[index].target.bus == .scsi { try domain.checkFree(place, name) }
            domain.devices.disks[index].info.address = .drive(place)
        }
    }

    private func completeHostdevs(_ domain: inout Domain) throws(VirtError) {
        for index in domain.devices.hostdevs.indices {
            try domain.devices.hostdevs[index].complete(self)
            guard domain.devices.hostdevs[index].type == .scsi else { continue }
            if domain.devices.hostdevs[index].info.address == nil {
                domain.devices.hostdevs[index].info.address = .drive(domain.freeSCSIUnit())
            }
            try domain.checkSCSIHost(domain.devices.hostdevs[index])
        }
    }
}

extension Domain {
    fileprivate func checkFree(_ address: DriveAddress, _ name: String) throws(VirtError) {
        let isTaken = devices.hostdevs.contains { $0.type == .scsi && $0.info.address == .drive(address) }
        guard isTaken else { return }
        throw VirtError.unsupported(
            "using disk target name '\(name)' conflicts with SCSI host device address "
                + "controller='\(address.controller)' bus='0' target='0' unit='\(address.unit)"
        )
    }

    /// The first unit that no SCSI disk or device has.
    fileprivate func freeSCSIUnit() -> DriveAddress {
        var taken: Set<DriveAddress> = []
        for disk in devices.disks where disk.target.bus == .scsi {
            if case .drive(let address) = disk.info.address { taken.insert(address) }
        }
        for hostdev in devices.hostdevs where hostdev.type == .scsi {
            if case .drive(let address) = hostdev.info.address { taken.insert(address) }
        }
        var controller: UInt32 = 0
        while controller < 1024 {
            for unit in UInt32(0)..<7 {
                let address = DriveAddress(controller: controller, unit: unit)
                if !taken.contains(address) { return address }
            }
            controller += 1
        }
        return DriveAddress(controller: controller)
    }

    fileprivate func checkSCSIHost(_ hostdev: Hostdev) throws(VirtError) {
        guard case .drive(let address) = hostdev.info.address else { return }
        let isTaken = devices.disks.contains { $0.target.bus == .scsi && $0.info.address == .drive(address) }
        guard isTaken else { return }
        throw VirtError.malformed("SCSI host address \(address.text) in use by a SCSI disk")
    }
}
