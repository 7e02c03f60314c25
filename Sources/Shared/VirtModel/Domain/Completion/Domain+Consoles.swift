import VirtCore
import VirtXML

extension Domain {
    /// Ports for those that say themselves that they are ISA ports; there are four.
    mutating func assignISAPorts() throws(VirtError) {
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
    mutating func addConsoleForSerial() throws(VirtError) {
        for console in devices.consoles.dropFirst() where console.target == .serial {
            throw VirtError.unsupported("Only the first console can be a serial port")
        }
        if let console = devices.consoles.first, console.target == nil || console.target == .serial {
            addSerial(for: console)
        } else if let serial = devices.serials.first, serial.canBeConsole {
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
}
