import QEMUMonitor
import VirtCore
import VirtModel

/// Identity, monitor, clock, power management, boot options.
extension CommandBuilder {
    mutating func addIdentity() throws(VirtError) {
        add("-uuid", domain.uuid?.description ?? "")
        try addSMBIOS()
        for info in domain.sysinfos where info.type == .fwcfg {
            for entry in info.firmwareConfig { addFirmwareConfig(entry) }
        }
        if let id = domain.genid?.id { add(device: ["driver": "vmgenid", "guid": .string(id), "id": "vmgenid0"]) }
        if devices.graphics.isEmpty { add("-display", "none") }
        add("-no-user-config", "-nodefaults")
    }

    private mutating func addFirmwareConfig(_ entry: SysInfo.FirmwareEntry) {
        let name = "name=\(entry.name)"
        if let value = entry.value {
            add("-fw_cfg", "\(name),string=\(value)")
        } else {
            add("-fw_cfg", "\(name),file=\(KeyValueText.escape(entry.file ?? ""))")
        }
    }

    private mutating func addSMBIOS() throws(VirtError) {
        if domain.os.smbios == .host {
            throw VirtError(.configUnsupported, .qemu, "Host SMBIOS information is not available")
        }
        guard domain.os.smbios == .sysinfo, let info = domain.sysinfos.first(where: { $0.type == .smbios }) else {
            return
        }
        add(smbios: 0, info.bios, ["vendor", "version", "date", "release"])
        add(smbios: 1, info.system, ["manufacturer", "product", "version", "serial", "uuid", "sku", "family"])
        guard info.baseBoards.count < 2 else {
            throw VirtError(
                .configUnsupported, .qemu, "qemu does not support more than one entry to Type 2 in SMBIOS table")
        }
        for board in info.baseBoards {
            add(smbios: 2, board.entries, ["manufacturer", "product", "version", "serial", "asset", "location"])
        }
        addChassis(info.chassis)
        if !info.oemStrings.isEmpty {
            let values = info.oemStrings.map { ",value=" + KeyValueText.escape($0) }.joined()
            add("-smbios", "type=11" + values)
        }
    }

    /// The maker is always said.
    private mutating func addChassis(_ entries: [SysInfo.Entry]) {
        guard !entries.isEmpty else { return }
        let hasMaker = entries.contains { $0.name == "manufacturer" }
        let maker = hasMaker ? [] : [SysInfo.Entry(name: "manufacturer", value: "")]
        add(smbios: 3, maker + entries, ["manufacturer", "version", "serial", "asset", "sku"])
    }

    private mutating func add(smbios type: Int, _ entries: [SysInfo.Entry], _ keys: [String]) {
        var options: [String] = []
        for key in keys {
            guard let value = entries.first(where: { $0.name == key })?.value else { continue }
            options.append("\(key)=\(KeyValueText.escape(value))")
        }
        if !options.isEmpty { add("-smbios", "type=\(type)," + options.joined(separator: ",")) }
    }

    mutating func addMonitor() {
        switch environment.monitor {
        case .path(let path):
            add("-chardev", "socket,id=charmonitor,path=\(KeyValueText.escape(path)),server=on,wait=off")
        case .descriptor(let descriptor):
            add("-chardev", "socket,id=charmonitor,fd=\(descriptor),server=on,wait=off")
        }
        add("-mon", "chardev=charmonitor,id=monitor,mode=control")
    }

    // MARK: Clock

    mutating func addClock() throws(VirtError) {
        var options: [String] = []
        let rtc = domain.clock.timers.first { $0.name == .rtc }
        options.append("base=\(clockBase)")
        switch rtc?.track {
        case .guest: options.append("clock=vm")
        case .wall: options.append("clock=host")
        case .realtime: options.append("clock=rt")
        case .boot, nil: break
        }
        if rtc?.tickPolicy == .catchup { options.append("driftfix=slew") }
        add("-rtc", options.joined(separator: ","))
        for timer in domain.clock.timers {
            switch timer.name {
            case .pit: addPIT(timer)
            case .hpet: if timer.present == false, has(.noHpet) { add("-no-hpet") }
            case .platform, .rtc, .tsc, .kvmclock, .hypervclock, .armvtimer: continue
            }
        }
    }

    private mutating func addPIT(_ timer: GuestClock.Timer) {
        guard has(.kvmPitLostTickPolicy) else { return }
        switch timer.tickPolicy {
        case .delay: add("-global", "kvm-pit.lost_tick_policy=delay")
        case .discard: add("-global", "kvm-pit.lost_tick_policy=discard")
        case .catchup, .merge, nil: break
        }
    }

    private var clockBase: String {
        switch domain.clock.offset {
        case .localtime, .timezone: return "localtime"
        case .variable:
            guard let seconds = Int64(domain.clock.adjustment ?? "0") else { return "utc" }
            return CivilTime(seconds: environment.now &+ seconds).text
        case .absolute: return CivilTime(seconds: Int64(clamping: domain.clock.start ?? 0)).text
        case .utc:
            guard let adjustment = domain.clock.adjustment, adjustment != "reset", let seconds = Int64(adjustment)
            else {
                return "utc"
            }
            return CivilTime(seconds: environment.now &+ seconds).text
        }
    }

    mutating func addPowerManagement() {
        add("-no-shutdown")
        if !domain.features.acpi, has(.noAcpi) { add("-no-acpi") }
        let power = domain.powerManagement
        let device = machine.isQ35 ? "ICH9-LPC" : "PIIX4_PM"
        let switches = [(power.suspendToMemory, "disable_s3"), (power.suspendToDisk, "disable_s4")]
        for case (let enabled?, let name) in switches { add("-global", "\(device).\(name)=\(enabled ? 0 : 1)") }
    }

    mutating func addRootHotplug() {
        let root = devices.controllers.first { $0.type == .pci && $0.model == .pciRoot && $0.index == 0 }
        guard machine.isI440FX, let hotplug = root?.target?.hotplug else { return }
        add("-global", "PIIX4_PM.acpi-root-pci-hotplug=\(onOff(hotplug))")
    }

    // MARK: Boot

    mutating func addBoot() throws(VirtError) {
        var options: [String] = []
        if let enabled = domain.os.bootMenu?.enable {
            options.append("menu=\(onOff(enabled))")
            if enabled, let timeout = domain.os.bootMenu?.timeout { options.append("splash-time=\(timeout)") }
        }
        if let timeout = domain.os.bios?.rebootTimeout { options.append("reboot-timeout=\(timeout)") }
        options.append("strict=on")
        add("-boot", options.joined(separator: ","))
        if let kernel = domain.os.kernel { add("-kernel", kernel) }
        if let initrd = domain.os.initrd { add("-initrd", initrd) }
        if let line = domain.os.commandLine { add("-append", line) }
        if let tree = domain.os.deviceTree { add("-dtb", tree) }
        if let table = domain.os.acpiTable { add("-acpitable", "sig=SLIC,file=\(KeyValueText.escape(table))") }
    }
}

/// A moment in UTC, as `-rtc` takes it.
struct CivilTime {
    let text: String

    init(seconds: Int64) {
        let days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
        let rest = seconds - days * 86400
        // The calendar repeats every 400 years of 146,097 days; a year that begins in March ends with its leap day.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let calendarMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (calendarMonth <= 2 ? 1 : 0)
        let two = { (value: Int64) in (value < 10 ? "0" : "") + String(value) }
        let time = "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
        text = "\(year)-\(two(calendarMonth))-\(two(day))T\(time)"
    }
}
