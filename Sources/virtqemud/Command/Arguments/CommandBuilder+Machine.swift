import QEMUMonitor
import VirtCore
import VirtModel

/// `-machine`, `-accel`, firmware.
extension CommandBuilder {
    mutating func addMachine() throws(VirtError) {
        var options = [domain.os.machine ?? "", "usb=off"]
        if let vmport = domain.features.vmport { options.append("vmport=\(onOff(vmport))") }
        if let smm = domain.features.smm { options.append("smm=\(onOff(smm.state))") }
        addInterruptOptions(&options)
        if let iommu = domain.devices.iommu, iommu.model == .smmuv3 { options.append("iommu=smmuv3") }
        try addKeyWrapping(&options)
        addPSeriesOptions(&options)
        options.append("dump-guest-core=\(onOff(domain.memory.dumpCore ?? environment.dumpsGuestCore))")
        if domain.memoryBacking.noSharePages { options.append("mem-merge=off") }
        if devices.memories.contains(where: { $0.model == .nvdimm }) { options.append("nvdimm=on") }
        if hasMemoryAttributes { options.append("hmat=on") }
        if let launchSecurityOption { options.append(launchSecurityOption) }
        if let id = memoryBackendID { options.append("memory-backend=\(id)") }
        for node in firmwareNodes { options.append("\(node.option)=\(node.node)-format") }
        if let loadparm { options.append("loadparm=\(loadparm)") }
        if domain.os.bios?.useSerial == true { options.append("graphics=off") }
        add("-machine", options.joined(separator: ","))
        addAccelerator()
        if let tseg = domain.features.smm?.tseg {
            add("-global", "mch.extended-tseg-mbytes=\(tseg >> 20)")
        }
    }

    private func addInterruptOptions(_ options: inout [String]) {
        switch domain.features.ioapic {
        case .qemu: options.append("kernel_irqchip=split")
        case .kvm: options.append("kernel_irqchip=on")
        case nil: break
        }
        guard machine.isARMVirt, let version = domain.features.gic?.version else { return }
        // The second version is what the machine has anyway.
        if version != .v2 || has(.gicVersion) { options.append("gic-version=\(version.rawValue)") }
    }

    private func addKeyWrapping(_ options: inout [String]) throws(VirtError) {
        for cipher in domain.keyWrap {
            let name = "\(cipher.name.rawValue)-key-wrap"
            guard has(cipher.name == .aes ? .aesKeyWrap : .deaKeyWrap) else {
                throw VirtError(.configUnsupported, .qemu, "\(name) is not available with this QEMU binary")
            }
            options.append("\(name)=\(onOff(cipher.state))")
        }
    }

    private func addPSeriesOptions(_ options: inout [String]) {
        guard machine.isPSeries else { return }
        if let resizing = domain.features.hpt?.resizing { options.append("resize-hpt=\(resizing.rawValue)") }
        if let size = domain.features.hpt?.maximumPageSize { options.append("cap-hpt-max-page-size=\(size)k") }
        let flags = [
            ("cap-htm", domain.features.htm), ("cap-nested-hv", domain.features.nestedHV),
            ("cap-ccf-assist", domain.features.ccfAssist),
        ]
        for case (let name, let value?) in flags { options.append("\(name)=\(onOff(value))") }
        let levels = [
            ("cap-cfpc", domain.features.cfpc), ("cap-sbbc", domain.features.sbbc), ("cap-ibs", domain.features.ibs),
        ]
        for case (let name, let value?) in levels { options.append("\(name)=\(value.rawValue)") }
    }

    private var loadparm: String? {
        guard machine.isS390 else { return nil }
        let disks = devices.disks.map(\.info.boot)
        let boots = disks + devices.interfaces.map(\.info.boot) + devices.hostdevs.map(\.info.boot)
        return boots.compactMap { $0 }.filter { $0.loadparm != nil }.min { $0.order < $1.order }?.loadparm
    }

    private mutating func addAccelerator() {
        guard isKVM else {
            let size = domain.features.tbCache.map { ",tb-size=\($0 >> 10)" } ?? ""
            return add("-accel", "tcg" + size)
        }
        let ring = domain.features.kvm.flatMap { $0.dirtyRing == true ? $0.dirtyRingSize : nil }
        add("-accel", "kvm" + (ring.map { ",dirty-ring-size=\($0)" } ?? ""))
    }

    // MARK: Firmware

    private typealias FirmwareNode = (option: String, node: String)

    /// The flash devices that the machine gets.
    private var firmwareNodes: [FirmwareNode] {
        guard domain.os.loader?.type == .pflash, domain.os.loader?.path != nil else { return [] }
        let code: FirmwareNode = ("pflash0", "libvirt-pflash0")
        return hasNVRAM ? [code, ("pflash1", "libvirt-pflash1")] : [code]
    }

    private var hasNVRAM: Bool { domain.os.nvram?.path != nil || domain.os.nvram?.source != nil }

    mutating func addFirmwareDisks() throws(VirtError) {
        guard let loader = domain.os.loader, loader.type == .pflash, let path = loader.path else { return }
        addFlash("libvirt-pflash0", .file(path), readonly: loader.readonly ?? false)
        if let path = domain.os.nvram?.path {
            addFlash("libvirt-pflash1", .file(path), readonly: false)
        } else if let source = domain.os.nvram?.source {
            addFlash("libvirt-pflash1", source, readonly: false)
        }
    }

    private mutating func addFlash(_ node: String, _ source: DiskSource, readonly: Bool) {
        var storage = BlockStorage(source, node: "\(node)-storage")
        storage.readonly = nil
        add(blockdev: storage.properties)
        add(blockdev: [
            "node-name": .string("\(node)-format"), "read-only": .bool(readonly), "driver": "raw",
            "file": .string("\(node)-storage"),
        ])
    }

    mutating func addLoader() {
        guard let loader = domain.os.loader else { return }
        switch loader.type {
        case .pflash:
            if loader.secure == true { add("-global", "driver=cfi.pflash01,property=secure,value=on") }
        case .rom, nil:
            if let path = loader.path { add("-bios", path) }
        }
    }
}

extension DiskSource {
    /// A plain file of the host.
    static func file(_ path: String) -> DiskSource {
        var source = DiskSource()
        source.file = path
        return source
    }
}
