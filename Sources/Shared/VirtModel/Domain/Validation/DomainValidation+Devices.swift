import VirtCore
import VirtXML

extension DomainValidation {
    func check(_ controller: Controller) throws {
        try checkZPCI(controller.info)
        try checkQueues(controller)
        if controller.type == .ide, machine.hasBuiltInIDE, controller.index ?? 0 > 0 {
            throw VirtError.unsupported(
                "Only a single IDE controller is supported for this machine type", .qemu)
        }
        guard controller.type == .pci, machine.isPSeries, controller.model == .pciRoot else { return }
        let index = controller.index ?? 0
        if (index == 0) != ((controller.target?.index ?? 0) == 0) {
            throw VirtError.unsupported(
                "Only the PCI controller with index 0 can have target index 0, and vice versa", .qemu)
        }
        if index == 0, controller.target?.node != nil {
            throw VirtError.unsupported("The PCI controller with index=0 can't be associated with a NUMA node", .qemu)
        }
    }

    private func checkQueues(_ controller: Controller) throws {
        guard controller.type == .scsi, let driver = controller.driver else { return }
        switch controller.model {
        case .virtioSCSI, .virtioTransitional, .virtioNonTransitional: return
        default: break
        }
        let options = [
            ("queues", driver.queues), ("cmd_per_lun", driver.commandsPerLUN), ("max_sectors", driver.maximumSectors),
        ]
        for case (let name, .some) in options {
            throw VirtError.unsupported("'\(name)' is only supported by virtio-scsi controller", .qemu)
        }
    }

    private func checkZPCI(_ info: DeviceInfo) throws {
        guard info.address?.pci?.zpci != nil, !emulator.has("zpci") else { return }
        throw VirtError.unsupported("This QEMU binary doesn't support zPCI", .qemu)
    }

    func check(_ interface: Interface) throws {
        try checkZPCI(interface.info)
        try checkInterface(interface)
        guard let driver = interface.driver else { return }
        for (name, size) in [("rx_queue_size", driver.receiveQueueSize), ("tx_queue_size", driver.transmitQueueSize)] {
            guard let size, size != 0, size & (size - 1) != 0 else { continue }
            throw VirtError.unsupported("\(name) has to be a power of two", .qemu)
        }
    }

    private func checkInterface(_ interface: Interface) throws {
        if interface.type != .user, !interface.addresses.isEmpty || !interface.routes.isEmpty {
            throw VirtError.unsupported(
                "Invalid attempt to set network interface guest-side IP route and/or address info, not supported by "
                    + "QEMU",
                .qemu)
        }
        if let model = interface.model, !model.utf8.allSatisfy(Self.isModelCharacter) {
            throw VirtError(.invalidArg, .domain, "Model name contains invalid characters")
        }
        if interface.type != .network, interface.bandwidth?.inbound?.floor ?? 0 > 0 {
            throw VirtError.unsupported("floor attribute is not supported for this config", .qemu)
        }
    }

    private static func isModelCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    func check(_ filesystem: Filesystem) throws {
        guard filesystem.type == .mount else {
            throw VirtError.unsupported("only supports mount filesystem type", .qemu)
        }
        if filesystem.driver == .handle, filesystem.accessMode ?? .passthrough != .passthrough {
            throw VirtError.unsupported("only supports passthrough accessmode", .qemu)
        }
        guard filesystem.driver == .virtiofs else { return }
        guard hasSharedMemory else { throw VirtError.unsupported("'virtiofs' requires shared memory", .qemu) }
        if filesystem.readonly { throw VirtError.unsupported("virtiofs does not yet support read-only mode", .qemu) }
        if let mode = filesystem.accessMode, mode != .passthrough {
            throw VirtError.unsupported("virtiofs only supports passthrough accessmode", .qemu)
        }
    }

    func check(_ hostdev: Hostdev) throws {
        try checkZPCI(hostdev.info)
        if hostdev.sgio == .unfiltered { throw VirtError.unsupported("unfiltered sgio is no longer supported", .qemu) }
        if hostdev.type == .scsiHost, hostdev.info.boot != nil {
            throw VirtError.unsupported(
                "booting from assigned devices is not supported by vhost SCSI devices", .qemu)
        }
        if hostdev.type == .pci, hostdev.source.writeFiltering != nil {
            throw VirtError.unsupported(
                "Write filtering of PCI device configuration space is not supported by qemu", .qemu)
        }
        guard hostdev.type == .mdev else { return }
        if hostdev.display == true, devices.graphics.isEmpty {
            throw VirtError.unsupported(
                "graphics device is needed for attribute value 'display=on' in <hostdev>", .qemu)
        }
        if hostdev.model == .vfioAP, hostdev.info.boot != nil {
            throw VirtError.unsupported(
                "booting from assigned devices is not supported by mediated devices of model vfio-ap", .qemu)
        }
    }

    func checkSmallDevices() throws {
        for audio in devices.audios where audio.type == .spice {
            guard !devices.graphics.contains(where: { $0.type == .spice }) else { continue }
            throw VirtError.unsupported("Spice audio is not supported without spice graphics", .qemu)
        }
        for input in devices.inputs { try check(input) }
        for memory in devices.sharedMemories { try check(memory) }
        for panic in devices.panics where panic.model == .s390 || panic.model == .pseries {
            guard panic.info.address != nil, let model = panic.model else { continue }
            throw VirtError.unsupported(
                "setting the panic device address is not supported for model '\(model.rawValue)'", .qemu)
        }
        if let iommu = devices.iommu, iommu.model == .intel, !machine.isQ35 {
            throw VirtError.unsupported("IOMMU device: 'intel' is only supported with Q35 machines", .qemu)
        }
        if let iommu = devices.iommu, iommu.model == .smmuv3, !machine.isARMVirt {
            throw VirtError.unsupported("IOMMU device: 'smmuv3' is only supported with ARM Virt machines", .qemu)
        }
        try checkTPMs()
    }

    private func check(_ input: Input) throws {
        if let model = input.model, model != .virtio {
            throw VirtError.unsupported(
                "virtio (non-)transitional models are not supported for input type=\(input.type.rawValue)", .qemu)
        }
        if input.bus == .xen { throw VirtError(.internalError, .domain, "unsupported input bus xen") }
        if input.bus == .ps2, input.type != .mouse, input.type != .keyboard {
            throw VirtError(.internalError, .domain, "ps2 bus does not support \(input.type.rawValue) input device")
        }
        if input.type == .evdev || input.type == .passthrough, input.source?.path == nil {
            throw VirtError.malformed("missing evdev path for input device passthrough")
        }
    }

    private func check(_ memory: SharedMemory) throws {
        if memory.msiEnabled == true, !memory.hasServer {
            throw VirtError.malformed("msi option is only supported with a server")
        }
        if memory.model == .ivshmemDoorbell, !memory.hasServer {
            throw VirtError.unsupported(
                "shmem model 'ivshmem-doorbell' is supported only with server option enabled", .domain)
        }
        if memory.model == .ivshmemPlain, memory.hasServer {
            throw VirtError.unsupported(
                "shmem model 'ivshmem-plain' is supported only with server option disabled", .domain)
        }
        if memory.model == .ivshmem {
            throw VirtError.unsupported("ivshmem device is not supported with this QEMU binary", .qemu)
        }
        guard memory.name.utf8.contains(UInt8(ascii: "/")) else { return }
        throw VirtError.malformed("shmem name cannot include '/' character")
    }

    private func checkKind(_ tpm: TPM) throws {
        let prefix = "The QEMU executable \(emulator.path) does not support TPM"
        if tpm.backend == .external {
            guard tpm.externalSource != nil else { throw VirtError.malformed("missing external TPM backend type") }
        }
        let isKnown =
            switch tpm.model {
            case .tis: emulator.has("tpm-tis") || emulator.has("tpm-tis-device")
            case .crb: emulator.has("tpm-crb")
            case .spapr: emulator.has("tpm-spapr")
            case .spaprProxy: emulator.has("spapr-tpm-proxy")
            case nil: true
            }
        guard isKnown else { throw VirtError.unsupported("\(prefix) model \(tpm.model?.rawValue ?? "")", .qemu) }
    }

    private func checkTPMs() throws {
        let tpms = devices.tpms
        if tpms.filter({ $0.model != .spaprProxy }).count > 1 {
            throw VirtError.unsupported("only a single TPM non-proxy device is supported", .qemu)
        }
        if tpms.filter({ $0.model == .spaprProxy }).count > 1 {
            throw VirtError.unsupported("only a single TPM Proxy device is supported", .qemu)
        }
        for tpm in tpms { try checkKind(tpm) }
        for tpm in tpms where tpm.backend == .emulator {
            let version = tpm.version ?? .v2
            guard !context.tpmVersions.contains(version) else { continue }
            throw VirtError.unsupported("TPM version '\(version.rawValue)' is not supported", .qemu)
        }
    }
}
