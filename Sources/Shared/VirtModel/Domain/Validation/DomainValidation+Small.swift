import VirtCore
import VirtXML

/// Watchdogs, panic devices, sockets, sound, and other devices with few rules.
extension DomainValidation {
    func checkRest() throws {
        try checkAudio()
        try checkWatchdogs()
        for panic in devices.panics { try check(panic) }
        if let vsock = devices.vsock, let cid = vsock.cid, cid < 3 {
            throw VirtError.unsupported("guest CIDs must be >= 3", .domain)
        }
        for card in devices.smartcards where card.mode == .hostCertificates && card.certificates.count != 3 {
            throw VirtError.malformed("host-certificates mode needs exactly three certificates")
        }
        for console in devices.consoles where console.target == .sclp && !machine.isS390 {
            throw VirtError.unsupported("sclpconsole is not supported in this QEMU binary", .qemu)
        }
        try checkIOMMU()
        try checkLifecycle()
    }

    private func checkAudio() throws {
        var ids: Set<UInt32> = []
        for audio in devices.audios where !ids.insert(audio.id).inserted {
            throw VirtError.malformed("audio ID \(audio.id) is used multiple times")
        }
        for id in devices.sounds.compactMap(\.audioID) + devices.graphics.compactMap(\.audioID)
        where !ids.contains(id) {
            throw VirtError.malformed("no audio device with ID \(id)")
        }
        for sound in devices.sounds {
            guard sound.model == .ich9, !emulator.has("ich9-intel-hda") else { continue }
            throw VirtError.unsupported(
                "The ich9-intel-hda audio controller is not supported in this QEMU binary", .qemu)
        }
    }

    private func checkWatchdogs() throws {
        guard devices.watchdogs.count < 2 else {
            throw VirtError(.internalError, .domain, "only a single watchdog device is supported")
        }
        guard let watchdog = devices.watchdogs.first else { return }
        switch watchdog.model {
        case .i6300esb: break
        case .ib700:
            if watchdog.info.address != nil {
                throw VirtError.unsupported(
                    "ib700 model of watchdog does not support configuring the address", .qemu)
            }
        case .diag288:
            if !machine.isS390 {
                throw VirtError.unsupported("diag288 model of watchdog is allowed for s390 and s390x only", .qemu)
            }
        case .itco: throw VirtError.unsupported("unknown watchdog model 'itco'", .domain)
        }
    }

    private func check(_ panic: Panic) throws {
        switch panic.model {
        case .s390:
            if !machine.isS390 {
                throw VirtError.unsupported("only S390 guests support panic device of model 's390'", .qemu)
            }
        case .pseries:
            if !machine.isPSeries {
                throw VirtError.unsupported("only pSeries guests support panic device of model 'pseries'", .qemu)
            }
        case .isa:
            if let address = panic.info.address, address.kind != .isa {
                throw VirtError.unsupported("panic is supported only with ISA address type", .qemu)
            }
        case .pvpanic: throw VirtError.unsupported("unknown panic model 'pvpanic'", .domain)
        case .hyperv, .default, nil: break
        }
    }

    private func checkIOMMU() throws {
        guard let iommu = devices.iommu, iommu.model == .intel else { return }
        if iommu.interruptRemapping == true, domain.features.ioapic != .qemu {
            throw VirtError.unsupported(
                "IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')", .qemu)
        }
        if iommu.eim == true, iommu.interruptRemapping != true {
            throw VirtError.unsupported("IOMMU eim requires interrupt remapping to be enabled", .qemu)
        }
    }

    /// What QEMU's guests can do when they end.
    private func checkLifecycle() throws {
        for action in [domain.onReboot, domain.onPoweroff, domain.onCrash] where action == .renameRestart {
            throw VirtError.unsupported(
                "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'",
                .qemu)
        }
        for action in [domain.onReboot, domain.onPoweroff] where action == .preserve {
            throw VirtError.unsupported(
                "qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'", .qemu)
        }
    }
}
