import QEMUMonitor
import VirtCore
import VirtRPC
import VirtWire

/// The qemu program: commands of a client's own wording to QEMU and to the guest agent.
enum MonitorHandlers {
    /// VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP.
    private static let human: UInt32 = 1

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onAsync(QemuProgram.DomainMonitorCommand.self) { arguments, caller in
            try arguments.flags.checkFlags(human, "qemuDomainQemuMonitorCommand")
            let actor = try registry.actor(arguments.dom)
            let result = try await actor.monitorCommand(
                arguments.cmd, isHuman: arguments.flags & human != 0, caller.client)
            return .init(result: result)
        }
        table.onAsync(QemuProgram.DomainAgentCommand.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainQemuAgentCommand")
            let snapshot = try registry.snapshot(arguments.dom)
            _ = try snapshot.running()
            throw AgentRules.refusal(snapshot)
        }
        table.onAsync(QemuProgram.DomainAttach.self) { _, _ in
            throw VirtError(.noSupport, .none, "virDomainQemuAttach")
        }
    }
}

extension DomainActor {
    /// virDomainQemuMonitorCommand: the reply as QEMU gave it, its refusals included. The guest counts as tainted then.
    func monitorCommand(_ text: String, isHuman: Bool, _ client: ClientHandle) async throws -> String {
        _ = try running()
        return try await withJob(.modify, "virDomainQemuMonitorCommand", client: client.id) {
            _ = try self.running()
            guard let monitor = self.runtime?.monitor else { throw self.removedError }
            if self.runtime?.taints.insert(.customMonitor).inserted == true {
                let id = self.runtime?.id ?? -1
                Self.log.warning("Domain id=\(id) name='\(self.name)' uuid=\(self.uuid) is tainted: custom-monitor")
                await self.appendLog("Domain id=\(id) is tainted: custom-monitor")
                self.publish()
            }
            if isHuman { return try await monitor.executeHuman(text) }
            guard case .object(let command) = try JSONParser.parse(Array(text.utf8)[...]) else {
                throw VirtError(.internalError, .qemu, "cannot parse json \(text)")
            }
            return try await Self.reply(to: command, monitor)
        }
    }

    private static func reply(to command: JSONObject, _ monitor: QEMUMonitor) async throws -> String {
        // libvirt shows the id that it gave the command.
        switch try await monitor.passthrough(command) {
        case .success(let value):
            return JSONValue.object(["return": value, "id": .string("libvirt-1")]).description
        case .failure(let failure):
            let error: JSONValue = ["class": .string(failure.errorClass), "desc": .string(failure.text)]
            return JSONValue.object(["id": .string("libvirt-1"), "error": error]).description
        }
    }
}
