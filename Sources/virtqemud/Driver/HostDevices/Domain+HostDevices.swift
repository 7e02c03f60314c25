import VirtModel
import VirtOS

extension Domain {
    /// A PCI device that the guest has.
    struct AssignedPCI: Sendable, Equatable {
        let address: String
        /// Whether libvirt takes it from the host's driver, and gives it back.
        let isManaged: Bool
        /// An NVMe disk that QEMU drives itself.
        var isDisk = false
    }

    /// The host's PCI devices among disks, interfaces and host devices.
    var assignedPCI: [AssignedPCI] {
        let devices = (self.devices.interfaces.compactMap(\.hostDevice) + self.devices.hostdevs)
            .filter { $0.type == .pci }
            .map { AssignedPCI(address: $0.source.pci.text, isManaged: $0.managed == true) }
        let disks = self.devices.disks.flatMap(\.chain).filter { $0.type == .nvme }.compactMap(\.nvme).map {
            AssignedPCI(address: $0.address.text, isManaged: $0.managed == true, isDisk: true)
        }
        return devices + disks
    }

    var hasVFIODevices: Bool { !assignedPCI.isEmpty || devices.hostdevs.contains { $0.type == .mdev } }

    /// The nodes of /dev that QEMU opens for the host's devices. Blocks.
    func hostDeviceNodes(_ pci: PCIAssignment = PCIAssignment()) -> [String] {
        var nodes = assignedPCI.compactMap { pci.groupDevice(of: $0.address) }
        for device in devices.hostdevs {
            switch device.type {
            case .pci, .scsiHost: break
            case .usb: if let node = device.source.usbNode { nodes.append(node) }
            case .mdev:
                if let uuid = device.source.mdevUUID, let node = pci.groupDevice(ofMediated: uuid) {
                    nodes.append(node)
                }
            case .scsi:
                if device.source.protocol != "iscsi",
                    let name = SysFile.names(device.source.genericDirectory(sysfs: pci.sysfs)).first
                {
                    nodes.append("/dev/\(name)")
                }
            }
        }
        var known: Set<String> = []
        return nodes.filter { known.insert($0).inserted }
    }

    /// How much memory QEMU has to be able to lock, in bytes: all of it where a device reads and writes it, and what QEMU
    /// maps besides. Nil: as much as any process.
    var lockedMemoryLimit: UInt64? {
        let isVDPA = devices.interfaces.contains { $0.type == .vdpa }
        guard memoryBacking.locked || hasVFIODevices || isVDPA else { return nil }
        let kibibytes: UInt64
        if let limit = memoryTuning.hardLimit {
            kibibytes = limit
        } else {
            guard !memoryBacking.locked else { return ResourceLimit.unlimited }
            kibibytes = maximumMemoryKibibytes.addingReportingOverflow(1 << 20).partialValue
        }
        let (bytes, overflow) = kibibytes.multipliedReportingOverflow(by: 1024)
        return overflow ? ResourceLimit.unlimited : bytes
    }
}

extension HostdevSource {
    /// Where sysfs names the generic device of a SCSI device.
    func genericDirectory(sysfs: String) -> String {
        let host = adapter.map { $0.hasPrefix("scsi_host") ? String($0.dropFirst(9)) : $0 } ?? "0"
        let place = scsiAddress
        return "\(sysfs)/bus/scsi/devices/\(host):\(place.bus):\(place.target):\(place.unit)/scsi_generic"
    }
}
