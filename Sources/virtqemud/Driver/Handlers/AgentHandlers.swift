import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Calls that the guest agent answers. This driver does not talk to agents: what they get is libvirt's error for the
/// state of the agent's channel, or that agent commands are not supported.
enum AgentHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        @Sendable func refusal(_ domain: RemoteNonnullDomain) throws -> VirtError {
            AgentRules.refusal(try registry.snapshot(domain))
        }
        /// Some calls ask first whether there is a guest at all.
        @Sendable func refusalIfActive(_ domain: RemoteNonnullDomain) throws -> VirtError {
            _ = try registry.snapshot(domain).running()
            return try refusal(domain)
        }
        table.on(RemoteProgram.DomainGetTime.self) { arguments, _ in throw try refusalIfActive(arguments.dom) }
        table.on(RemoteProgram.DomainSetTime.self) { arguments, _ in throw try refusalIfActive(arguments.dom) }
        table.on(RemoteProgram.DomainGetFsinfo.self) { arguments, _ in throw try refusalIfActive(arguments.dom) }
        table.on(RemoteProgram.DomainFsfreeze.self) { arguments, _ in throw try refusalIfActive(arguments.dom) }
        table.on(RemoteProgram.DomainFsthaw.self) { arguments, _ in throw try refusalIfActive(arguments.dom) }
        table.on(RemoteProgram.DomainSetUserPassword.self) { arguments, _ in throw try refusalIfActive(arguments.dom) }
        table.on(RemoteProgram.DomainGetGuestVcpus.self) { arguments, _ in throw try refusalIfActive(arguments.dom) }
        table.on(RemoteProgram.DomainSetGuestVcpus.self) { arguments, _ in throw try refusal(arguments.dom) }
        table.on(RemoteProgram.DomainFstrim.self) { arguments, _ in throw try refusal(arguments.dom) }
        table.on(RemoteProgram.DomainGetGuestInfo.self) { arguments, _ in throw try refusal(arguments.dom) }
        table.on(RemoteProgram.DomainAuthorizedSshKeysGet.self) { arguments, _ in throw try refusal(arguments.dom) }
        table.on(RemoteProgram.DomainAuthorizedSshKeysSet.self) { arguments, _ in throw try refusal(arguments.dom) }
        table.onAsync(RemoteProgram.DomainAgentSetResponseTimeout.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainAgentSetResponseTimeout")
            guard arguments.timeout >= -2 else {
                throw VirtError(
                    .invalidArg, .qemu,
                    "guest agent timeout '\(arguments.timeout)' is less than the minimum '-2'")
            }
            try await registry.actor(arguments.dom).setAgentTimeout(arguments.timeout, caller.client)
            return .init(result: 0)
        }
    }
}

extension DomainActor {
    fileprivate func setAgentTimeout(_ seconds: Int32, _ client: ClientHandle) async throws {
        try await withJob(.modify, "virDomainAgentSetResponseTimeout", client: client.id) {
            _ = try self.running()
            self.runtime?.agentTimeout = seconds
            await self.saveStatus()
        }
    }
}
