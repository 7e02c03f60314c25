import QEMUMonitor
import VirtCore
import VirtModel

/// Watchdogs, TPMs, balloon, random numbers, and what comes last.
extension CommandBuilder {
    mutating func addWatchdogs() throws(VirtError) {
        for watchdog in devices.watchdogs {
            if watchdog.model != .itco {
                var properties: JSONObject = [
                    "driver": .string(watchdog.model.rawValue), "id": .string(watchdog.info.alias ?? ""),
                ]
                try addAddress(watchdog.info, to: &properties)
                add(device: properties)
            } else {
                add("-global", "ICH9-LPC.noreboot=off")
            }
        }
        guard let action = devices.watchdogs.first?.action else { return }
        // QEMU stops the guest, libvirt dumps it.
        add("-watchdog-action", action == .dump ? "pause" : action.rawValue)
    }

    mutating func addTPMs() throws(VirtError) {
        for tpm in devices.tpms {
            let alias = tpm.info.alias ?? ""
            let model = tpm.model?.rawValue ?? "tpm-tis"
            if tpm.model == .spaprProxy {
                add(device: [
                    "driver": "spapr-tpm-proxy", "id": .string(alias), "host-path": .string(tpm.devicePath ?? ""),
                ])
                continue
            }
            switch tpm.backend {
            case .passthrough:
                let sets = environment.tpms[alias] ?? inventedSets()
                for (part, set) in [("tpm", sets.device), ("cancel", sets.cancel)] {
                    add("-add-fd", "set=\(set.number),fd=\(set.descriptor),opaque=\(alias)-\(part)")
                }
                let paths = "path=/dev/fdset/\(sets.device.number),cancel-path=/dev/fdset/\(sets.cancel.number)"
                add("-tpmdev", "passthrough,id=tpm-\(alias),\(paths)")
            case .emulator, .external:
                let path = tpm.externalSource?.path ?? "\(environment.libraryDirectory)/\(alias)-swtpm.sock"
                add("-chardev", "socket,id=chrtpm,path=\(KeyValueText.escape(path))")
                add("-tpmdev", "emulator,id=tpm-\(alias),chardev=chrtpm")
            }
            var properties: JSONObject = [
                "driver": .string((machine.isARM || machine.isRISCV) && tpm.model == .tis ? "tpm-tis-device" : model),
                "tpmdev": .string("tpm-\(alias)"), "id": .string(alias),
            ]
            try addAddress(tpm.info, to: &properties)
            add(device: properties)
        }
    }

    /// The sets that a TPM of the host would have in a guest that is not started.
    private mutating func inventedSets() -> CommandEnvironment.TPMSets {
        defer {
            inventedDescriptor += 2
            inventedSet += 2
        }
        return .init(
            device: .init(number: inventedSet, descriptor: inventedDescriptor),
            cancel: .init(number: inventedSet + 1, descriptor: inventedDescriptor + 1))
    }

    mutating func addSmallDevices() throws(VirtError) {
        try addBalloon()
        for rng in devices.rngs { try add(rng) }
        if let nvram = devices.nvram, case .spaprVIO(let vio) = nvram.info.address, let reg = vio.reg {
            add("-global", "spapr-nvram.reg=0x" + String(reg, radix: 16))
        }
        if domain.features.vmcoreinfo == true { add(device: ["driver": "vmcoreinfo"]) }
    }

    private mutating func addBalloon() throws(VirtError) {
        guard let balloon = devices.memballoon, balloon.model != .none, balloon.model != .xen else { return }
        let driver = virtioDriver("virtio-balloon", balloon.info, model: balloon.model.rawValue)
        var properties: JSONObject = ["driver": .string(driver)]
        addVirtio(balloon.virtio, to: &properties)
        properties.add("id", balloon.info.alias)
        properties.add("deflate-on-oom", balloon.autodeflate)
        properties.add("free-page-reporting", balloon.freePageReporting)
        try addAddress(balloon.info, to: &properties)
        addZPCI(balloon.info)
        add(device: properties)
    }

    private mutating func add(_ rng: RandomGenerator) throws(VirtError) {
        let alias = rng.info.alias ?? ""
        var object: JSONObject = ["qom-type": .string("rng-\(rng.backend.rawValue)"), "id": .string("obj\(alias)")]
        switch rng.backend {
        case .random: object.add("filename", rng.device ?? "/dev/urandom")
        case .egd:
            try add(chardev: rng.source, alias)
            object.add("chardev", "char\(alias)")
        case .builtin: break
        }
        add(object: object)
        var properties: JSONObject = [
            "driver": .string(virtioDriver("virtio-rng", rng.info, model: rng.model.rawValue))
        ]
        addVirtio(rng.virtio, to: &properties)
        properties.add("rng", "obj\(alias)")
        properties.add("id", alias)
        if let bytes = rng.rateBytes {
            properties.add("max-bytes", bytes)
            properties.add("period", rng.ratePeriod ?? 1000)
        }
        try addAddress(rng.info, to: &properties)
        addZPCI(rng.info)
        add(device: properties)
    }

    mutating func addLast() throws(VirtError) {
        for argument in domain.qemu.arguments { add(argument.value) }
        if environment.usesSandbox, has(.seccompSandbox) {
            add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
        }
        try addPanics()
        for memory in devices.sharedMemories { try add(memory) }
        try addVSock()
        for crypto in devices.cryptos { try add(crypto) }
        if environment.timestampsLog { add("-msg", "timestamp=on") }
    }

    private mutating func addPanics() throws(VirtError) {
        for panic in devices.panics {
            switch panic.model {
            case .isa, .pvpanic, .default, nil:
                var properties: JSONObject = ["driver": panic.model == .pvpanic ? "pvpanic-pci" : "pvpanic"]
                if case .isa(let isa) = panic.info.address { properties.add("ioport", isa.iobase) }
                if panic.model == .pvpanic { try addAddress(panic.info, to: &properties) }
                add(device: properties)
            case .pseries, .hyperv, .s390: continue
            }
        }
    }

    private mutating func add(_ memory: SharedMemory) throws(VirtError) {
        let alias = memory.info.alias ?? ""
        var properties: JSONObject
        switch memory.model {
        case .ivshmemPlain:
            add(object: [
                "qom-type": "memory-backend-file", "id": .string("shmmem-\(alias)"),
                "mem-path": .string("/dev/shm/\(memory.name)"), "size": .integer(try bytes(of: memory)), "share": true,
            ])
            properties = ["driver": "ivshmem-plain", "id": .string(alias), "memdev": .string("shmmem-\(alias)")]
        case .ivshmem, .ivshmemDoorbell:
            properties = ["driver": "ivshmem-doorbell", "id": .string(alias), "chardev": .string("char\(alias)")]
            properties.add("vectors", memory.msiVectors)
            properties.add("ioeventfd", memory.msiIOEventFD)
        }
        if memory.model == .ivshmemPlain || memory.role != nil {
            properties.add("master", memory.role.map { onOff($0 == .master) })
        }
        try addAddress(memory.info, to: &properties)
        add(device: properties)
        guard memory.model != .ivshmemPlain else { return }
        let path = memory.serverPath ?? "/var/lib/libvirt/shmem-\(memory.name)-sock"
        add("-chardev", "socket,id=char\(alias),path=\(KeyValueText.escape(path))")
    }

    private func bytes(of memory: SharedMemory) throws(VirtError) -> UInt64 {
        let (size, overflow) = (memory.size ?? 4).multipliedReportingOverflow(by: 1 << 20)
        guard !overflow, size > 0, size & (size - 1) == 0 else {
            throw VirtError(.xmlError, .qemu, "shmem size must be a power of two")
        }
        return size
    }

    private mutating func addVSock() throws(VirtError) {
        guard let vsock = devices.vsock else { return }
        let alias = vsock.info.alias ?? "vsock0"
        let driver = virtioDriver("vhost-vsock", vsock.info, model: vsock.model?.rawValue)
        var properties: JSONObject = ["driver": .string(driver)]
        addVirtio(vsock.virtio, to: &properties)
        properties.add("id", alias)
        properties.add("guest-cid", vsock.cid ?? 0)
        properties.add("vhostfd", String(environment.vhostDescriptors[alias] ?? -1))
        try addAddress(vsock.info, to: &properties)
        add(device: properties)
    }

    private mutating func add(_ crypto: Crypto) throws(VirtError) {
        let alias = crypto.info.alias ?? ""
        var object: JSONObject = [
            "qom-type": .string("cryptodev-backend-\(crypto.backend.rawValue)"), "id": .string("obj\(alias)"),
        ]
        object.add("queues", crypto.queues)
        add(object: object)
        var properties: JSONObject = ["driver": .string(virtioDriver("virtio-crypto", crypto.info))]
        addVirtio(crypto.virtio, to: &properties)
        properties.add("cryptodev", "obj\(alias)")
        properties.add("id", alias)
        try addAddress(crypto.info, to: &properties)
        add(device: properties)
    }
}
