import VirtCore
import VirtXML

extension Video {
    /// Model and memory by the machine.
    mutating func complete(_ emulator: DomainCompletionContext.Emulator, _ machine: MachineKind) {
        if model == .default { model = Self.defaultModel(emulator, machine) }
        if model == .none { return }
        if model == .qxl, (vgaMemory ?? 0) == 0 { vgaMemory = 16 * 1024 }
        if model == .qxl, (ram ?? 0) == 0 { ram = defaultMemory }
        if (vram ?? 0) == 0 { vram = defaultMemory == 0 ? nil : defaultMemory }
        ram = ram.map(Self.roundedUp)
        vram = vram.map(Self.roundedUp)
        if heads == nil { heads = 1 }
    }

    private static func defaultModel(
        _ emulator: DomainCompletionContext.Emulator, _ machine: MachineKind
    ) -> Model {
        if machine.isPPC64 { return .vga }
        if machine.isARMVirt || machine.isRISCVVirt || machine.isS390 { return .virtio }
        if emulator.has("cirrus-vga") { return .cirrus }
        return emulator.has("VGA") ? .vga : .default
    }

    private var defaultMemory: UInt32 {
        switch model {
        case .vga, .cirrus, .vmvga, .bochs: 16 * 1024
        case .xen: 4 * 1024
        case .qxl: 64 * 1024
        case .default, .vbox, .parallels, .virtio, .gop, .none, .ramfb: 0
        }
    }

    private static func roundedUp(_ value: UInt32) -> UInt32 {
        guard value > 1 else { return value }
        let bits = UInt32.bitWidth - (value - 1).leadingZeroBitCount
        return bits >= UInt32.bitWidth ? value : 1 << UInt32(bits)
    }
}

extension DomainCompletion {
    /// The first video device is the primary one.
    func completePrimaryVideo(_ domain: inout Domain) {
        if let chosen = domain.devices.videos.firstIndex(where: \.primary), chosen != 0 {
            domain.devices.videos.insert(domain.devices.videos.remove(at: chosen), at: 0)
        }
        guard var first = domain.devices.videos.first else { return }
        if first.model == Video.Model.none {
            let alias = first.info.alias
            first = Video()
            first.model = .none
            first.info.alias = alias
        } else {
            first.primary = true
            first.complete(emulator, machine)
        }
        domain.devices.videos[0] = first
    }

    func completeHostdevs(_ domain: inout Domain) throws {
        for index in domain.devices.hostdevs.indices {
            var hostdev = domain.devices.hostdevs[index]
            switch hostdev.type {
            case .scsi:
                hostdev.source.name = hostdev.source.name.map(Disk.withUnit)
                if hostdev.info.address == nil { hostdev.info.address = .drive(domain.freeSCSIUnit()) }
                try domain.checkSCSIHost(hostdev)
            case .mdev: try hostdev.completeMdev(emulator)
            case .pci, .usb, .scsiHost: break
            }
            domain.devices.hostdevs[index] = hostdev
        }
    }
}

extension Hostdev {
    fileprivate mutating func completeMdev(_ emulator: DomainCompletionContext.Emulator) throws {
        if model == .vfioPCI, display == nil { display = false }
        guard let address = info.address, let model else { return }
        let fits =
            switch model {
            case .vfioPCI: address.kind == .pci
            case .vfioCCW: address.kind == .ccw
            default: true
            }
        guard !fits else { return }
        throw VirtError.malformed(
            "Unsupported address type '\(address.kind.rawValue)' with mediated device model '\(model.rawValue)'")
    }
}

extension Domain {
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

    fileprivate func checkSCSIHost(_ hostdev: Hostdev) throws {
        guard case .drive(let address) = hostdev.info.address else { return }
        let isTaken = devices.disks.contains { $0.target.bus == .scsi && $0.info.address == .drive(address) }
        guard isTaken else { return }
        throw VirtError.malformed("SCSI host address \(address.text) in use by a SCSI disk")
    }
}

extension DriveAddress {
    /// As libvirt's errors name it.
    var text: String { "controller='\(controller)' bus='\(bus)' target='\(target)' unit='\(unit)'" }
}

extension Input {
    mutating func complete(_ machine: MachineKind) {
        guard bus == nil else { return }
        if type == .mouse || type == .keyboard, machine.isX86 {
            bus = .ps2
        } else if machine.isS390 || type == .passthrough {
            bus = .virtio
        } else if type == .evdev {
            bus = Bus?.none
        } else {
            bus = .usb
        }
    }
}

extension RandomGenerator {
    mutating func complete() {
        if backend == .random, device == nil { device = "/dev/random" }
    }
}

extension MemoryDevice {
    mutating func complete(_ machine: MachineKind, isNew: Bool) {
        switch model {
        case .virtioPMEM: if access == nil { access = .shared }
        case .nvdimm: if machine.isPPC64, uuid == nil { uuid = .random() }
        case .dimm, .virtioMem, .sgxEPC: break
        }
        guard isNew, machine.isPPC64, let size = target.size else { return }
        let alignment: UInt64 = 256 * 1024
        if model == .nvdimm {
            let label = target.labelSize ?? 0
            guard size > label else { return }
            target.size = (size - label) / alignment * alignment &+ label
        } else {
            target.size = size.addingReportingOverflow(alignment - 1).partialValue / alignment * alignment
        }
    }
}

extension SharedMemory {
    mutating func complete() {
        if model != .ivshmemDoorbell, size == nil { size = 4 }
        guard model == .ivshmemDoorbell, hasServer else { return }
        msiEnabled = true
        if msiIOEventFD == nil { msiIOEventFD = true }
    }
}
