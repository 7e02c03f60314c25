import QEMUCommand
import VirtCore
import VirtModel
import VirtOS

/// Devices of the host: found, taken from the host's drivers, and given back.
extension DomainActor {
    func prepareHostDevices(_ plan: inout StartPlan) async throws {
        try await checkVFIO(plan.domain)
        try await assignPCI(&plan)
        try await findUSB(&plan)
        try await openVhostDevices(&plan)
    }

    func checkVFIO(_ domain: Domain) async throws {
        guard domain.hasVFIODevices, try await !BlockingPool.shared.run({ HostDescription.hasVFIO }) else { return }
        let devices = domain.devices.interfaces.compactMap(\.hostDevice) + domain.devices.hostdevs
        for device in devices where device.type == .pci {
            throw VirtError(
                .configUnsupported, .qemu,
                device.driverName == "vfio"
                    ? "host doesn't support VFIO PCI passthrough"
                    : "host doesn't support passthrough of host PCI devices")
        }
        guard devices.contains(where: { $0.type == .mdev }) else { return }
        throw VirtError(.configUnsupported, .qemu, "Mediated host device assignment requires VFIO support")
    }

    // MARK: PCI

    private func assignPCI(_ plan: inout StartPlan) async throws {
        let (claims, name) = (driver.hostDeviceClaims, self.name)
        for device in plan.domain.assignedPCI {
            try await BlockingPool.shared.run { try PCIAssignment().require(device.address) }
            try claims.claim(.pci(device.address), for: name)
            plan.undo.add("PCI device") { await Self.giveBack(device, of: name, claims) }
            if device.isManaged {
                try await PCIAssignment().requireGuestDriver()
                let isTaken = try await BlockingPool.shared.run { try PCIAssignment().detach(device.address) }
                if !isTaken { claims.keepDriver(.pci(device.address)) }
            } else {
                claims.keepDriver(.pci(device.address))
                let holder = try await BlockingPool.shared.run { PCIAssignment().driver(of: device.address) }
                guard holder == PCIAssignment.guestDriver else {
                    throw VirtError(
                        .operationInvalid, .none,
                        "Unmanaged PCI device \(device.address) must be manually detached from the host")
                }
            }
        }
    }

    private static func giveBack(_ device: Domain.AssignedPCI, of guest: String, _ claims: HostDeviceClaims) async {
        guard claims.release(.pci(device.address), of: guest), device.isManaged else { return }
        do {
            try await BlockingPool.shared.run { try PCIAssignment().reattach(device.address) }
        } catch {
            log.warning("PCI device \(device.address) stays without its driver: \(error)")
        }
    }

    /// The host gets a guest's devices back.
    func releaseHostDevices(of domain: Domain) async {
        let (claims, name) = (driver.hostDeviceClaims, self.name)
        for device in domain.assignedPCI { await Self.giveBack(device, of: name, claims) }
        for device in domain.devices.hostdevs where device.type == .usb {
            if let claim = device.source.usbClaim { claims.release(claim, of: name) }
        }
    }

    /// A guest that was found running has its devices.
    func claimHostDevices(of domain: Domain) {
        let claims = driver.hostDeviceClaims
        let usb = domain.devices.hostdevs.filter { $0.type == .usb }.compactMap(\.source.usbClaim)
        for device in domain.assignedPCI.map({ .pci($0.address) }) + usb {
            do {
                try claims.claim(device, for: name)
            } catch {
                Self.log.warning("guest '\(name)': \(error)")
            }
        }
    }

    // MARK: USB

    private func findUSB(_ plan: inout StartPlan) async throws {
        let wanted = plan.domain.devices.hostdevs.indices.filter { plan.domain.devices.hostdevs[$0].type == .usb }
        guard !wanted.isEmpty else { return }
        let present = try await BlockingPool.shared.run { try USBDevices.read() }
        let (claims, name) = (driver.hostDeviceClaims, self.name)
        for index in wanted {
            guard let device = try present.find(plan.domain.devices.hostdevs[index].source) else {
                plan.domain.devices.hostdevs[index].source.usbMissing = true
                continue
            }
            let claim = HostDeviceClaims.Device.usb(bus: device.bus, number: device.number)
            try claims.claim(claim, for: name)
            plan.undo.add("USB device") { claims.release(claim, of: name) }
            plan.domain.devices.hostdevs[index].source.usbBus = device.bus
            plan.domain.devices.hostdevs[index].source.usbDevice = device.number
        }
    }

    // MARK: vhost

    private func openVhostDevices(_ plan: inout StartPlan) async throws {
        for device in plan.domain.devices.hostdevs where device.type == .scsiHost {
            guard let alias = device.info.alias else { continue }
            let descriptor = try await BlockingPool.shared.run { try VhostDevice.openSCSI() }
            plan.environment.vhostDescriptors[alias] = plan.pass(descriptor)
        }
        if let vsock = plan.domain.devices.vsock, let alias = vsock.info.alias {
            let wanted = vsock.autoCID == true ? nil : vsock.cid
            let opened = try await BlockingPool.shared.run { try VhostDevice.openVSock(cid: wanted) }
            plan.domain.devices.vsock?.cid = opened.cid
            plan.environment.vhostDescriptors[alias] = plan.pass(opened.descriptor)
        }
        for interface in plan.domain.devices.interfaces where interface.type == .vdpa {
            guard let alias = interface.info.alias, let path = interface.source.dev else { continue }
            let descriptor = try await BlockingPool.shared.run { try VhostDevice.openVDPA(path) }
            plan.environment.vdpa[alias] = .init(number: nextDescriptorSet(), descriptor: plan.pass(descriptor))
        }
    }
}

extension HostdevSource {
    fileprivate var usbClaim: HostDeviceClaims.Device? {
        guard let usbBus, let usbDevice, usbMissing != true else { return nil }
        return .usb(bus: usbBus, number: usbDevice)
    }
}
