import VirtCore
import VirtXML

extension CharacterSource {
    /// A socket without a path listens on one that libvirt makes up at start.
    mutating func completeUNIX(channel name: String?, prefix: String) throws(VirtError) {
        guard type == .unix else { return }
        if let name, let own = path, Self.isGenerated(own, name, prefix) { path = nil }
        if path == nil { try listenSomewhere() }
    }

    /// The paths that libvirt has made up over the years: `DIR/target/DOMAIN.NAME`, `DIR/DOMAIN.NAME`, and
    /// `.../domain-DOMAIN/NAME` anywhere.
    private static func isGenerated(_ path: String, _ name: String, _ prefix: String) -> Bool {
        let parts = path.split(separator: "/")
        if let last = parts.last, last == name, let parent = parts.dropLast().last, parent.hasPrefix("domain-") {
            return true
        }
        var base = prefix
        if path.hasPrefix(prefix + "/target/") { base += "/target" }
        guard path.hasPrefix(base + "/") else { return false }
        let rest = path.dropFirst(base.utf8.count + 1)
        return rest.hasSuffix("." + name) && !rest.contains("/")
    }
}

extension DomainCompletion {
    func completeSerial(at index: Int, _ domain: inout Domain) throws {
        var serial = domain.devices.serials[index]
        if serial.target == nil || serial.target == SerialPort.Target.none || serial.target == .isa {
            serial.target = defaultSerialTarget
        }
        if serial.model == nil || serial.model == SerialPort.Model.none, let target = serial.target {
            serial.model = defaultSerialModel(target)
        }
        if serial.port == nil {
            serial.port = nextPort(domain.devices.serials.map(\.port))
        }
        try serial.source.completeUNIX(channel: nil, prefix: context.channelTargetDirectory)
        domain.devices.serials[index] = serial
    }

    private var defaultSerialTarget: SerialPort.Target? {
        if machine.isX86 { return .isa }
        if machine.isPSeries { return .spaprVIO }
        if machine.isARMVirt || machine.isRISCVVirt { return .system }
        return machine.isS390 ? .sclp : nil
    }

    private func defaultSerialModel(_ target: SerialPort.Target) -> SerialPort.Model? {
        switch target {
        case .isa: .isaSerial
        case .usb: .usbSerial
        case .pci: .pciSerial
        case .spaprVIO: .spaprVTY
        case .system: machine.isARMVirt ? .pl011 : machine.isRISCVVirt ? .uart16550a : nil
        case .sclp: .sclpConsole
        case .isaDebug: .isaDebugCon
        case .none: nil
        }
    }

    func completeConsoles(_ domain: inout Domain) {
        for index in domain.devices.consoles.indices {
            var console = domain.devices.consoles[index]
            if console.target == nil || console.target == Console.Target.none { console.target = .serial }
            console.port = Int32(clamping: index)
            domain.devices.consoles[index] = console
        }
    }
}

extension Domain {
    /// Ports for those that say themselves that they are ISA ports; there are four.
    mutating func assignISAPorts() throws {
        let limit: Int32 = 4
        var taken: Set<Int32> = []
        for serial in devices.serials where serial.target == .isa {
            guard let port = serial.port, port >= 0 else { continue }
            guard port < limit else { throw Self.tooManyISAPorts }
            guard taken.insert(port).inserted else {
                throw VirtError(.internalError, .domain, "target port '\(port)' already allocated")
            }
        }
        for index in devices.serials.indices where devices.serials[index].target == .isa {
            guard devices.serials[index].port ?? -1 < 0 else { continue }
            guard let port = (0..<limit).first(where: { !taken.contains($0) }) else { throw Self.tooManyISAPorts }
            taken.insert(port)
            devices.serials[index].port = port
        }
    }

    private static let tooManyISAPorts = VirtError(
        .internalError, .domain, "Maximum supported number of ISA serial ports is '4'")

    /// The first console of a guest is its first serial port under another name; each one makes the other.
    mutating func addConsoleForSerial() throws {
        for console in devices.consoles.dropFirst() where console.target == .serial {
            throw VirtError.unsupported("Only the first console can be a serial port")
        }
        if let console = devices.consoles.first, console.target == nil || console.target == .serial {
            addSerial(for: console)
        } else if let serial = devices.serials.first, serial.hasConsole {
            var console = Console()
            console.source = serial.source
            console.target = .serial
            console.port = 0
            devices.consoles.insert(console, at: 0)
        }
        if let serial = devices.serials.first, devices.consoles.first?.target == .serial {
            devices.consoles[0].source = serial.source
            devices.consoles[0].info = serial.info
            devices.consoles[0].port = serial.port
        }
    }

    private mutating func addSerial(for console: Console) {
        guard devices.serials.isEmpty else { return }
        var serial = SerialPort()
        serial.source = console.source
        serial.info = console.info
        serial.port = 0
        devices.serials = [serial]
    }

    /// SPICE without any port listens nowhere.
    mutating func completeSpiceListens() {
        for index in devices.graphics.indices where devices.graphics[index].type == .spice {
            let graphics = devices.graphics[index]
            guard let first = graphics.listens.first, first.type == .address, graphics.port == nil,
                graphics.tlsPort == nil, !graphics.isAutomatic
            else { continue }
            devices.graphics[index].listens[0].type = .none
            devices.graphics[index].listens[0].address = nil
        }
    }
}

extension SerialPort {
    /// Whether the port can be the guest's console.
    fileprivate var hasConsole: Bool {
        switch target {
        case .isa, .spaprVIO, .system, .sclp, .some(.none), nil: true
        case .pci, .usb, .isaDebug: false
        }
    }
}
