import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// What reaches the guest from outside: keys, interrupts, clients of its displays.
enum InputHandlers {
    /// VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH.
    private static let skipsAuthentication: UInt32 = 1

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onAsync(RemoteProgram.DomainSendKey.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainSendKey")
            let keys = try keys(arguments)
            let actor = try registry.actor(arguments.dom)
            var words: JSONObject = ["keys": .array(keys)]
            if arguments.holdtime > 0 { words["hold-time"] = .integer(arguments.holdtime) }
            try await actor.tell("virDomainSendKey", "send-key", .object(words), caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainInjectNmi.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainInjectNMI")
            try await registry.actor(arguments.dom).tell("virDomainInjectNMI", "inject-nmi", nil, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainOpenGraphics.self) { arguments, caller in
            try arguments.flags.checkFlags(skipsAuthentication, "qemuDomainOpenGraphics")
            guard let descriptor = caller.descriptors.first else {
                throw VirtError(.internalError, .rpc, "No FD available at slot 0")
            }
            let actor = try registry.actor(arguments.dom)
            try await actor.openGraphics(
                arguments.idx, descriptor, skipsAuthentication: arguments.flags != 0, "virDomainOpenGraphics",
                caller.client)
            return .init()
        }
        table.onDescriptors(RemoteProgram.DomainOpenGraphicsFd.self) { arguments, caller in
            try arguments.flags.checkFlags(skipsAuthentication, "qemuDomainOpenGraphicsFD")
            let actor = try registry.actor(arguments.dom)
            let pair = try UnixSocket.pair()
            try await actor.openGraphics(
                arguments.idx, pair.first, skipsAuthentication: arguments.flags != 0, "virDomainOpenGraphicsFD",
                caller.client)
            return (.init(), [pair.second])
        }
    }

    /// The keys as QEMU takes them.
    static func keys(_ arguments: RemoteDomainSendKeyArgs) throws(VirtError) -> [JSONValue] {
        guard let set = KeyCodes.Set(rawValue: arguments.codeset) else {
            throw VirtError(.invalidArg, .qemu, "Unsupported codeset '\(arguments.codeset)'")
        }
        guard !arguments.keycodes.isEmpty, arguments.keycodes.count <= 16 else {
            throw VirtError(.invalidArg, .qemu, "keycode count must be between 1 and 16")
        }
        return try arguments.keycodes.map { code throws(VirtError) in
            guard let number = KeyCodes.number(code, in: set) else {
                throw VirtError(
                    .internalError, .qemu, "cannot translate keycode \(code) of \(set.name) codeset to rfb keycode")
            }
            return ["type": "number", "data": .integer(number)]
        }
    }
}

extension DomainActor {
    /// One command under a job, of a guest that runs.
    func tell(_ api: String, _ name: String, _ arguments: JSONValue?, _ client: ClientHandle) async throws {
        _ = try running()
        try await withJob(.modify, api, client: client.id) {
            _ = try self.running()
            try await self.command(name, arguments)
        }
    }

    /// Hands a connection of a display's client to QEMU.
    func openGraphics(
        _ index: UInt32, _ descriptor: DescriptorBox, skipsAuthentication: Bool, _ api: String, _ client: ClientHandle
    ) async throws {
        _ = try running()
        try await withJob(.modify, api, client: client.id) {
            let (live, runtime) = try self.running()
            guard live.devices.graphics.indices.contains(Int(index)) else {
                throw VirtError(.internalError, .qemu, "No graphics backend with index \(index)")
            }
            let graphics = live.devices.graphics[Int(index)]
            guard graphics.type == .vnc || graphics.type == .spice else {
                throw VirtError(
                    .invalidArg, .qemu,
                    "Can only open VNC, SPICE or D-Bus p2p graphics backends, not \(graphics.type.rawValue)")
            }
            guard let monitor = runtime.monitor else { throw self.removedError }
            var session = PlugSession(monitor)
            try await session.pass(descriptor, as: "graphicsfd")
            let words: JSONValue = [
                "protocol": .string(graphics.type.rawValue), "fdname": "graphicsfd",
                "skipauth": .bool(skipsAuthentication),
            ]
            do {
                try await session.run([QMPCommand("add_client", words)])
            } catch {
                await session.takeBack()
                throw error
            }
        }
    }
}
