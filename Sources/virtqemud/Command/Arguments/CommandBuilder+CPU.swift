import VirtCore
import VirtModel

/// `-cpu`.
extension CommandBuilder {
    mutating func addCPU() throws(VirtError) {
        var options: [String] = []
        let model = try cpuModel(&options)
        addClockOptions(&options)
        addParavirtualOptions(&options)
        addHypervOptions(&options)
        if devices.panics.contains(where: { $0.model == .hyperv }) { options.append("hv-crash") }
        addKVMOptions(&options)
        if let pmu = domain.features.pmu { options.append("pmu=\(onOff(pmu))") }
        addCacheOptions(&options)
        addAddressOptions(&options)
        guard let model = model ?? (options.isEmpty ? nil : defaultModel) else { return }
        add("-cpu", ([model] + options).joined(separator: ","))
    }

    private var defaultModel: String {
        switch domain.os.arch {
        case "i686": return "qemu32"
        case "x86_64": return "qemu64"
        default: return "max"
        }
    }

    private func cpuModel(_ options: inout [String]) throws(VirtError) -> String? {
        guard let cpu = domain.cpu, cpu.mode != .custom || cpu.model?.name != nil else { return nil }
        var model: String
        switch cpu.mode ?? .custom {
        case .custom:
            model = cpu.model?.name ?? ""
        case .hostModel:
            guard machine.isPPC64 else {
                throw VirtError(.configUnsupported, .qemu, "CPU mode 'host-model' is not resolved")
            }
            model = "host" + (cpu.model?.name.map { ",compat=\($0.lowercased())" } ?? "")
        case .hostPassthrough:
            model = "host"
            if let migratable = cpu.migratable { options.append("migratable=\(onOff(migratable))") }
        case .maximum:
            model = "max"
            if let migratable = cpu.migratable, has(.cpuMigratable) {
                options.append("migratable=\(onOff(migratable))")
            }
        }
        if let vendor = cpu.model?.vendorID { options.append("vendor=\(vendor)") }
        if machine.isARM, domain.os.arch != capabilities.architecture, capabilities.architecture == "aarch64" {
            options.append("aarch64=off")
        }
        for feature in cpu.features { addFeature(feature, &options) }
        return model
    }

    private func addFeature(_ feature: CPU.Feature, _ options: inout [String]) {
        guard let name = CPUFeatureName.qemu(feature.name) else { return }
        switch feature.policy ?? .require {
        case .force, .require: options.append("\(name)=on")
        case .disable, .forbid: options.append("\(name)=off")
        case .optional: options.append("\(name)=\(onOff(hostHas(name)))")
        }
    }

    /// Whether the host's processor, as QEMU sees it, has a feature.
    private func hostHas(_ name: String) -> Bool {
        let properties = capabilities.accelerator(kvm: isKVM).hostCPU?.properties ?? []
        return properties.first { $0.name == name }?.value == .boolean(true)
    }

    private func addClockOptions(_ options: inout [String]) {
        for timer in domain.clock.timers {
            switch timer.name {
            case .kvmclock: if let present = timer.present { options.append("kvmclock=\(onOff(present))") }
            case .hypervclock: if timer.present == true { options.append("hv-time=on") }
            case .tsc: if let frequency = timer.frequency { options.append("tsc-frequency=\(frequency)") }
            case .armvtimer:
                switch timer.tickPolicy {
                case .delay: options.append("kvm-no-adjvtime=off")
                case .discard: options.append("kvm-no-adjvtime=on")
                case .catchup, .merge, nil: break
                }
            case .platform, .pit, .rtc, .hpet: break
            }
        }
    }

    private func addParavirtualOptions(_ options: inout [String]) {
        if let eoi = domain.features.apicEOI { options.append("kvm-pv-eoi=\(onOff(eoi))") }
        if let spinlock = domain.features.pvSpinlock { options.append("kvm-pv-unhalt=\(onOff(spinlock))") }
    }

    private func addHypervOptions(_ options: inout [String]) {
        guard let hyperv = domain.features.hyperv else { return }
        if hyperv.mode == .passthrough { options.append("hv-passthrough=on") }
        let flags = [
            ("hv-relaxed", hyperv.relaxed), ("hv-vapic", hyperv.vapic), ("hv-vpindex", hyperv.vpindex),
            ("hv-runtime", hyperv.runtime), ("hv-synic", hyperv.synic), ("hv-stimer", hyperv.stimer),
            ("hv-reset", hyperv.reset), ("hv-frequencies", hyperv.frequencies),
            ("hv-reenlightenment", hyperv.reenlightenment), ("hv-tlbflush", hyperv.tlbflush),
            ("hv-ipi", hyperv.ipi), ("hv-evmcs", hyperv.evmcs), ("hv-avic", hyperv.avic),
        ]
        for (name, value) in flags {
            if value == true { options.append("\(name)=on") }
            if name == "hv-vapic", hyperv.spinlocks == true, let retries = hyperv.spinlockRetries {
                options.append("hv-spinlocks=0x" + String(retries, radix: 16))
            }
            if name == "hv-stimer", value == true, hyperv.stimerDirect == true { options.append("hv-stimer-direct=on") }
            if name == "hv-reset", hyperv.vendorID == true, let vendor = hyperv.vendorIDValue {
                options.append("hv-vendor-id=\(vendor)")
            }
        }
    }

    private func addKVMOptions(_ options: inout [String]) {
        guard let kvm = domain.features.kvm else { return }
        if kvm.hidden == true { options.append("kvm=off") }
        if kvm.hintDedicated == true { options.append("kvm-hint-dedicated=on") }
        if kvm.pollControl == true { options.append("kvm-poll-control=on") }
        if kvm.pvIPI == false { options.append("kvm-pv-ipi=off") }
    }

    private func addCacheOptions(_ options: inout [String]) {
        guard let cache = domain.cpu?.cache else { return }
        let isHost = domain.cpu?.mode == .hostPassthrough || domain.cpu?.mode == .maximum
        switch cache.mode {
        case .emulate where cache.level == 3: options.append("l3-cache=on")
        case .passthrough where isHost: options.append("host-cache-info=on")
        case .disable:
            options.append("l3-cache=off")
            if isHost { options.append("host-cache-info=off") }
        case .emulate, .passthrough: break
        }
    }

    private func addAddressOptions(_ options: inout [String]) {
        guard let address = domain.cpu?.physicalAddress else { return }
        switch address.mode {
        case .passthrough:
            options.append("host-phys-bits=on")
            if let limit = address.limit { options.append("host-phys-bits-limit=\(limit)") }
        case .emulate: if let bits = address.bits { options.append("phys-bits=\(bits)") }
        }
    }
}

/// Names of processor features that QEMU has of its own.
package enum CPUFeatureName {
    private static let renamed: [String: String] = [
        "cmp_legacy": "cmp-legacy", "ds_cpl": "ds-cpl", "fxsr_opt": "fxsr-opt", "kvm_pv_eoi": "kvm-pv-eoi",
        "kvm_pv_unhalt": "kvm-pv-unhalt", "lahf_lm": "lahf-lm", "nodeid_msr": "nodeid-msr",
        "pclmuldq": "pclmulqdq", "perfctr_core": "perfctr-core", "perfctr_nb": "perfctr-nb",
        "tsc_adjust": "tsc-adjust",
    ]

    private static let withoutSwitch: Set<String> = ["osxsave", "ospke", "cmt", "mbm_total", "mbm_local"]

    /// QEMU's name of a feature; nil for those that it has no switch for.
    package static func qemu(_ name: String) -> String? {
        withoutSwitch.contains(name) ? nil : renamed[name] ?? name
    }

    /// libvirt's name of a property of QEMU.
    package static func libvirt(_ name: String) -> String { fromQEMU[name] ?? name }

    private static let fromQEMU = Dictionary(uniqueKeysWithValues: renamed.map { ($0.value, $0.key) })
}
