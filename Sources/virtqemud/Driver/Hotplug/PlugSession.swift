import QEMUMonitor
import VirtCore
import VirtOS

/// The commands of one hotplug, and how each is taken back when a later one fails.
struct PlugSession {
    private let monitor: QEMUMonitor
    private var undo: [QMPCommand] = []

    init(_ monitor: QEMUMonitor) { self.monitor = monitor }

    mutating func run(_ commands: [QMPCommand]) async throws {
        for command in commands {
            try await monitor.execute(command.name, command.arguments, timeout: MonitorTimeout.standard)
            if let inverse = Self.inverse(command) { undo.append(inverse) }
        }
    }

    /// Hands QEMU a descriptor under a name, which the next command uses up.
    mutating func pass(_ descriptor: DescriptorBox, as name: String) async throws {
        try await monitor.execute(
            "getfd", ["fdname": .string(name)], descriptor: descriptor, timeout: MonitorTimeout.standard)
        undo.append(QMPCommand("closefd", ["fdname": .string(name)]))
    }

    /// Hands QEMU a descriptor in a set, which it opens as /dev/fdset/NUMBER.
    mutating func add(_ descriptor: DescriptorBox, to set: Int32, as name: String) async throws {
        try await monitor.execute(
            "add-fd", ["fdset-id": .integer(set), "opaque": .string(name)], descriptor: descriptor,
            timeout: MonitorTimeout.standard)
        undo.append(QMPCommand("remove-fd", ["fdset-id": .integer(set)]))
    }

    /// Takes back what was done, the latest first. Failures are of no interest any more.
    func takeBack() async {
        for command in undo.reversed() {
            _ = try? await monitor.attempt(command.name, command.arguments, timeout: MonitorTimeout.standard)
        }
    }

    private static func inverse(_ command: QMPCommand) -> QMPCommand? {
        func named(_ key: String, _ name: String, _ argument: String) -> QMPCommand? {
            command.arguments?[key].map { QMPCommand(name, .object([argument: $0])) }
        }
        return switch command.name {
        case "blockdev-add": named("node-name", "blockdev-del", "node-name")
        case "object-add": named("id", "object-del", "id")
        case "netdev_add": named("id", "netdev_del", "id")
        case "chardev-add": named("id", "chardev-remove", "id")
        case "device_add": named("id", "device_del", "id")
        default: nil
        }
    }
}
