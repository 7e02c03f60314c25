import QEMUMonitor
import VirtCore
import VirtModel

/// Puts the command line together, option by option. One extension per part of the guest.
struct CommandBuilder {
    let domain: Domain
    let capabilities: QEMUCapabilities
    let environment: CommandEnvironment
    let machine: MachineTraits
    var arguments: [String] = []
    /// The next descriptor number invented for a tap device that nobody opened.
    var inventedDescriptor: Int32 = 27
    /// The next set of descriptors for files that nobody opened.
    var inventedSet: Int32 = 0

    init(_ domain: Domain, _ capabilities: QEMUCapabilities, _ environment: CommandEnvironment) {
        self.domain = domain
        self.capabilities = capabilities
        self.environment = environment
        machine = MachineTraits(domain)
    }

    var devices: Devices { domain.devices }
    var isKVM: Bool { domain.type == .kvm }

    func has(_ flag: QEMUFlag) -> Bool { capabilities.has(flag) }

    mutating func add(_ words: String...) { arguments += words }

    /// A device in JSON, with what the guest's `<qemu:override>` changes of it.
    mutating func add(device properties: JSONObject) {
        add(json: "-device", overridden(properties), asJSON: has(.deviceJsonHotplug))
    }

    mutating func add(object properties: JSONObject) {
        add(json: "-object", properties, asJSON: has(.objectQapified), typeKey: "qom-type")
    }

    mutating func add(netdev properties: JSONObject) { add(json: "-netdev", properties, asJSON: has(.netdevJson)) }

    mutating func add(blockdev properties: JSONObject) { add("-blockdev", JSONValue.object(properties).description) }

    private mutating func add(json option: String, _ properties: JSONObject, asJSON: Bool, typeKey: String = "driver") {
        add(option, asJSON ? JSONValue.object(properties).description : KeyValueText.flat(properties, typeKey: typeKey))
    }

    private func overridden(_ properties: JSONObject) -> JSONObject {
        guard let id = properties["id"]?.string, let change = domain.qemu.overrides.first(where: { $0.alias == id })
        else { return properties }
        var properties = properties
        for property in change.properties {
            let text = property.value ?? ""
            switch property.type {
            case .string: properties[property.name] = .string(text)
            case .unsigned, .signed: properties[property.name] = .number(text)
            case .bool: properties[property.name] = .bool(text == "true")
            case .remove: properties[property.name] = nil
            }
        }
        return properties
    }

    /// All options, in libvirt's order.
    mutating func addAll() throws(VirtError) {
        addName()
        addMasterKey()
        addReservations()
        try addFirmwareDisks()
        try addMachine()
        try addCPU()
        addLoader()
        try addMemory()
        try addIdentity()
        addMonitor()
        try addClock()
        addPowerManagement()
        try addBoot()
        try addIOMMU()
        try addControllers()
        try addHubs()
        try addControllers(of: .ccid)
        try addMemoryDevices()
        try addDisks()
        try addFilesystems()
        try addInterfaces()
        try addCharacterDevices()
        try addTPMs()
        try addInputs()
        addAudios()
        try addGraphics()
        try addVideos()
        try addSounds()
        try addWatchdogs()
        try addRedirectedDevices()
        try addHostdevs()
        if let incoming = environment.incoming { add("-incoming", incoming) }
        try addBalloon()
        try addRandomGenerators()
        addNVRAM()
        if domain.features.vmcoreinfo == true { add(device: ["driver": "vmcoreinfo"]) }
        addLaunchSecurity()
        if let snapshot = environment.snapshot { add("-loadvm", snapshot) }
        for argument in domain.qemu.arguments { add(argument.value) }
        addSandbox()
        try addPanics()
        try addSharedMemories()
        try addVSock()
        try addCryptos()
        if environment.timestampsLog { add("-msg", "timestamp=on") }
    }

    /// Serial and parallel ports, channels, consoles, smart cards: a `-chardev` and mostly a `-device`.
    mutating func addCharacterDevices() throws(VirtError) {
        try addSmartcards()
        try addSerialPorts()
        try addParallelPorts()
        try addChannels()
        try addConsoles()
    }

    /// The process's environment, then what the guest adds to it.
    var processEnvironment: [String] {
        let home = environment.libraryDirectory
        let own = [
            "LC_ALL=C", "PATH=\(environment.searchPath)", "HOME=\(home)", "XDG_DATA_HOME=\(home)/.local/share",
            "XDG_CACHE_HOME=\(home)/.cache", "XDG_CONFIG_HOME=\(home)/.config",
        ]
        var displayed: [String] = []
        if let audio = devices.audios.first(where: { $0.type == .sdl }), let driver = audio.driver {
            displayed.append("SDL_AUDIODRIVER=\(driver)")
        }
        for graphics in devices.graphics where graphics.type == .sdl {
            if let xauth = graphics.xauth { displayed.append("XAUTHORITY=\(xauth)") }
            if let display = graphics.display { displayed.append("DISPLAY=\(display)") }
        }
        if domain.clock.offset == .timezone, let zone = domain.clock.timezone { displayed.append("TZ=\(zone)") }
        return own + displayed + domain.qemu.environment.map { "\($0.name)=\($0.value ?? "")" }
    }

    private mutating func addName() {
        let name = KeyValueText.escape(domain.name)
        add("-name", "guest=\(name)" + (environment.setsProcessName ? ",debug-threads=on" : ""))
        addDeprecation()
        add("-S")
    }

    private mutating func addDeprecation() {
        guard has(.compatDeprecated), let behaviour = domain.qemu.deprecation else { return }
        let values: [String: (String, String)] = [
            "omit": ("hide", ""), "reject": ("hide", "reject"), "crash": ("hide", "crash"),
        ]
        guard let (output, input) = values[behaviour] else { return }
        var properties: JSONObject = ["deprecated-output": .string(output)]
        if !input.isEmpty { properties["deprecated-input"] = .string(input) }
        add("-compat", JSONValue.object(properties).description)
    }

    private mutating func addSandbox() {
        guard environment.usesSandbox, has(.seccompSandbox) else { return }
        add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
    }

    private mutating func addMasterKey() {
        add(object: [
            "qom-type": "secret", "id": "masterKey0", "format": "raw",
            "file": .string(environment.libraryDirectory + "/master-key.aes"),
        ])
    }
}

/// QEMU's older form of options: words and `key=value`, separated by commas.
enum KeyValueText {
    /// A value with its commas doubled.
    static func escape(_ text: String) -> String {
        text.contains(",") ? text.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,") : text
    }

    /// What JSON says, in the older form.
    static func flat(_ properties: JSONObject, typeKey: String) -> String {
        properties.members.map { member in
            let text = value(member.value)
            return member.key == typeKey ? text : "\(member.key)=\(text)"
        }.joined(separator: ",")
    }

    private static func value(_ value: JSONValue) -> String {
        switch value {
        case .bool(let flag): flag ? "on" : "off"
        case .string(let text): escape(text)
        default: value.description
        }
    }
}

extension JSONObject {
    /// Appends a member unless the value is missing.
    mutating func add(_ key: String, _ value: String?) {
        if let value { members.append(Member(key, .string(value))) }
    }

    mutating func add(_ key: String, _ value: Bool?) {
        if let value { members.append(Member(key, .bool(value))) }
    }

    mutating func add(_ key: String, _ value: (some FixedWidthInteger)?) {
        if let value { members.append(Member(key, .integer(value))) }
    }

    mutating func add(_ key: String, _ value: JSONValue) { members.append(Member(key, value)) }

    mutating func add(_ key: String, _ object: JSONObject?) {
        if let object { members.append(Member(key, .object(object))) }
    }
}

/// `on` or `off`.
func onOff(_ flag: Bool) -> String { flag ? "on" : "off" }
