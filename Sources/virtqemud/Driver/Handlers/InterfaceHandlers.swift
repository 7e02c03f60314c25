import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Limits of an interface's traffic.
enum InterfaceHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.on(RemoteProgram.DomainGetInterfaceParameters.self) { arguments, _ in
            try arguments.flags.checkFlags(ParameterFlags.mask, "qemuDomainGetInterfaceParameters")
            let domain = try TuningParameters.definition(registry.snapshot(arguments.dom), arguments.flags)
            guard arguments.nparams > 0 else { return .init(params: [], nparams: BandwidthParameters.count) }
            let interface = domain.devices.interfaces[try domain.requireInterface(arguments.device)]
            let list = BandwidthParameters.list(interface.actual?.bandwidth ?? interface.bandwidth)
            let shown = Array(list.prefix(Int(arguments.nparams)))
            return .init(params: shown, nparams: Int32(shown.count))
        }
        table.onAsync(RemoteProgram.DomainSetInterfaceParameters.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.setBandwidth(
                arguments.device, arguments.params, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}

extension Domain {
    /// The interface with a device name or MAC address, or libvirt's error.
    func requireInterface(_ name: String) throws(VirtError) -> Int {
        guard let index = interfaceIndex(name) else {
            throw VirtError(.invalidArg, .qemu, "Can't find device \(name)")
        }
        return index
    }
}

extension DomainActor {
    /// virDomainSetInterfaceParameters.
    func setBandwidth(
        _ name: String, _ parameters: [TypedParameter], flags: UInt32, _ client: ClientHandle
    ) async throws {
        try flags.checkFlags(ParameterFlags.mask, "qemuDomainSetInterfaceParameters")
        try await change("virDomainSetInterfaceParameters", flags: flags & ModificationImpact.mask, client) {
            domain, _ in
            let interface = domain.devices.interfaces[try domain.requireInterface(name)]
            guard let device = interface.targetDevice, interface.usesTap else {
                throw VirtError(.operationUnsupported, .qemu, "setting bandwidth on interface is not supported")
            }
            try await BandwidthParameters.put(interface.bandwidth, on: device)
        } definition: { domain in
            let index = try domain.requireInterface(name)
            domain.devices.interfaces[index].bandwidth = try BandwidthParameters.apply(
                parameters, to: domain.devices.interfaces[index].bandwidth)
        }
    }
}
