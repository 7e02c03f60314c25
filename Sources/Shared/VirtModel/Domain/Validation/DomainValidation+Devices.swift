import VirtCore
import VirtXML

extension DomainValidation {
    func check(_ controller: Controller) throws {
        try checkZPCI(controller.info)
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

    private func checkZPCI(_ info: DeviceInfo) throws {
        guard info.address?.pci?.zpci != nil, !emulator.has("zpci") else { return }
        throw VirtError.unsupported("This QEMU binary doesn't support zPCI", .qemu)
    }

    func check(_ interface: Interface) throws {
        try checkZPCI(interface.info)
        guard let driver = interface.driver else { return }
        for (name, size) in [("rx_queue_size", driver.receiveQueueSize), ("tx_queue_size", driver.transmitQueueSize)] {
            guard let size, size != 0, size & (size - 1) != 0 else { continue }
            throw VirtError.unsupported("\(name) has to be a power of two", .qemu)
        }
    }

    func check(_ filesystem: Filesystem) throws {
        guard filesystem.driver == .virtiofs else { return }
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
        if input.bus == .ps2, input.type != .mouse, input.type != .keyboard {
            throw VirtError(.internalError, .domain, "ps2 bus does not support \(input.type.rawValue) input device")
        }
        if input.type == .evdev || input.type == .passthrough, input.source?.path == nil {
            throw VirtError.malformed("missing evdev path for input device passthrough")
        }
    }

    private func check(_ memory: SharedMemory) throws {
        if memory.model == .ivshmem {
            throw VirtError.unsupported("ivshmem device is not supported with this QEMU binary", .qemu)
        }
        guard memory.name.utf8.contains(UInt8(ascii: "/")) else { return }
        throw VirtError.malformed("shmem name cannot include '/' character")
    }

    private func checkTPMs() throws {
        let tpms = devices.tpms
        if tpms.filter({ $0.model != .spaprProxy }).count > 1 {
            throw VirtError.unsupported("only a single TPM non-proxy device is supported", .qemu)
        }
        if tpms.filter({ $0.model == .spaprProxy }).count > 1 {
            throw VirtError.unsupported("only a single TPM Proxy device is supported", .qemu)
        }
        for tpm in tpms where tpm.backend == .emulator {
            let version = tpm.version ?? .v2
            guard !context.tpmVersions.contains(version) else { continue }
            throw VirtError.unsupported("TPM version '\(version.rawValue)' is not supported", .qemu)
        }
    }
}
