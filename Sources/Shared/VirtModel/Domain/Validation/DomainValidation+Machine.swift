import VirtCore
import VirtXML

extension DomainValidation {
    func checkFirmware() throws {
        let isUEFI = domain.os.loader?.type == .pflash || domain.os.firmware == .efi
        if domain.os.firmware != nil, let loader = domain.os.loader, loader.path == nil {
            if loader.readonly != nil { try refuseLoader("readonly") }
            if loader.type != nil { try refuseLoader("type") }
            if loader.secure == false { try refuseLoader("secure") }
        }
        if domain.os.loader?.secure == true, domain.os.loader?.path != nil, domain.os.firmware == nil {
            guard machine.isQ35 else {
                throw VirtError.unsupported("Secure boot is supported with q35 machine types only", .qemu)
            }
            guard domain.features.smm?.state == true else {
                throw VirtError.unsupported("Secure boot requires SMM feature enabled", .qemu)
            }
        }
        if domain.os.bios?.useSerial == true, devices.serials.isEmpty {
            throw VirtError.malformed("need at least one serial port to use BIOS serial output")
        }
        if isUEFI, machine.isX86, !domain.features.acpi {
            throw VirtError.unsupported("UEFI requires ACPI on this architecture", .qemu)
        }
        if domain.features.acpi, !isUEFI, machine.arch == "aarch64" {
            throw VirtError.unsupported("ACPI requires UEFI on this architecture", .qemu)
        }
    }

    private func refuseLoader(_ attribute: String) throws {
        throw VirtError(
            .xmlDetail, .domain,
            "loader attribute '\(attribute)' cannot be specified when firmware autoselection is enabled")
    }

    func checkFeatures() throws {
        let features = domain.features
        if features.gic != nil, !machine.isARMVirt { throw unsupportedFeature("gic") }
        if features.ioapic != nil, !machine.isX86 { throw unsupportedFeature("ioapic") }
        if features.pvSpinlock != nil, !machine.isX86 { throw unsupportedFeature("pvspinlock") }
        let pseries: [(String, Bool)] = [
            ("hpt", features.hpt != nil), ("htm", features.htm != nil), ("nested-hv", features.nestedHV != nil),
            ("ccf-assist", features.ccfAssist != nil), ("cfpc", features.cfpc != nil), ("sbbc", features.sbbc != nil),
            ("ibs", features.ibs != nil),
        ]
        for (name, isSet) in pseries where isSet && !machine.isPSeries { throw unsupportedFeature(name) }
        if features.hyperv != nil, !machine.isX86, !machine.isARMVirt {
            throw VirtError.unsupported("Hyperv features are not supported for \(placeText)", .qemu)
        }
        if let hyperv = features.hyperv {
            if hyperv.spinlocks == true, let retries = hyperv.spinlockRetries, retries < 0xFFF {
                throw VirtError.malformed("HyperV spinlock retry count must be at least 4095")
            }
            if let vendor = hyperv.vendorIDValue, vendor.utf8.count > 12 {
                throw VirtError.malformed("HyperV vendor_id value must not be more than 12 characters.")
            }
        }
        if features.pmu == false, machine.isPPC64 {
            throw VirtError.unsupported("PMU is always enabled for architecture '\(machine.arch)'", .qemu)
        }
    }

    private func unsupportedFeature(_ name: String) -> VirtError {
        .unsupported("The '\(name)' feature is not supported for \(placeText)", .qemu)
    }

    func checkTimers() throws {
        for timer in domain.clock.timers {
            let name = timer.name.rawValue
            switch timer.name {
            case .platform: throw VirtError.unsupported("unsupported timer type (name) '\(name)'", .qemu)
            case .tsc, .kvmclock, .hypervclock:
                if !machine.isX86, timer.present == true { throw wrongTimer(name) }
            case .armvtimer:
                if domain.type != .kvm || !machine.isARMVirt { throw wrongTimer(name) }
            case .rtc:
                if let policy = timer.tickPolicy, policy == .merge || policy == .discard {
                    throw VirtError.unsupported("unsupported rtc timer tickpolicy '\(policy.rawValue)'", .qemu)
                }
            case .pit:
                if timer.tickPolicy == .merge {
                    throw VirtError.unsupported("unsupported pit tickpolicy 'merge'", .qemu)
                }
            case .hpet: break
            }
        }
    }

    private func wrongTimer(_ name: String) -> VirtError {
        .unsupported(
            "Configuring the '\(name)' timer is not supported for virtType=\(domain.type.rawValue) "
                + "arch=\(machine.arch) machine=\(machine.machine) guests",
            .qemu)
    }

    func checkSecurity() throws {
        var models: Set<String> = []
        for model in domain.securityLabels.compactMap(\.model) where !models.insert(model).inserted {
            throw VirtError(.xmlDetail, .domain, "seclabel for model \(model) is already provided")
        }
        if domain.securityLabels.count > 1, domain.securityLabels.contains(where: { $0.model == nil }) {
            throw VirtError.malformed("missing security model when using multiple labels")
        }
        for disk in devices.disks where disk.source.labels.count > 1 {
            guard disk.source.labels.contains(where: { $0.model == nil }) else { continue }
            throw VirtError.malformed("missing security model when using multiple labels")
        }
        guard let launch = domain.launchSecurity else { return }
        let flag = launch.type == .sev ? "sev-guest" : "s390-pv-guest"
        guard emulator.has(flag) else {
            let name = launch.type == .sev ? "SEV" : "S390 PV"
            throw VirtError.unsupported("\(name) launch security is not supported with this QEMU binary", .qemu)
        }
    }

    /// The table that says the guest's UUID must say the same.
    func checkSysinfo() throws {
        guard let uuid = domain.uuid else { return }
        for entry in domain.sysinfos.flatMap(\.system) where entry.name == "uuid" {
            guard let own = UUID(parsing: entry.value) else {
                throw VirtError(.xmlDetail, .domain, "malformed <sysinfo> uuid element")
            }
            if own != uuid { throw VirtError(.xmlDetail, .domain, "UUID mismatch between <uuid> and <sysinfo>") }
        }
    }
}
