import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Limits of an interface's traffic.
enum InterfaceHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.on(RemoteProgram.DomainGetInterfaceParameters.self) { arguments, _ in
            let domain = try TuningParameters.definition(
                registry.snapshot(arguments.dom), arguments.flags, "qemuDomainGetInterfaceParameters", isOne: true)
            guard arguments.nparams > 0 else { return .init(params: [], nparams: BandwidthParameters.count) }
            let interface = domain.devices.interfaces[try domain.requireInterface(arguments.device)]
            let list = BandwidthParameters.list(interface.actual?.bandwidth ?? interface.bandwidth)
            let shown = Array(list.prefix(Int(arguments.nparams)))
            return .init(params: shown, nparams: Int32(shown.count))
        }
        table.onChange(RemoteProgram.DomainSetInterfaceParameters.self) { arguments, caller in
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
            throw VirtError(.invalidArg, .domain, "'\(name)' is not a known interface")
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
                throw interface.bandwidthError
            }
            try await BandwidthParameters.put(interface.bandwidth, on: device)
        } definition: { domain in
            let index = try domain.requireInterface(name)
            guard domain.devices.interfaces[index].takesBandwidth else {
                throw domain.devices.interfaces[index].bandwidthError
            }
            domain.devices.interfaces[index].bandwidth = try BandwidthParameters.apply(
                parameters, to: domain.devices.interfaces[index].bandwidth)
        }
    }
}

extension Interface {
    /// The host has a device for it whose traffic can be shaped.
    fileprivate var takesBandwidth: Bool {
        switch actual?.type ?? type {
        case .network, .bridge, .direct, .ethernet: true
        default: false
        }
    }

    /// libvirt's text, which clients know: there is no such device to shape.
    fileprivate var bandwidthError: VirtError {
        VirtError(
            .configUnsupported, .qemu,
            "setting bandwidth on interfaces of type '\((actual?.type ?? type).rawValue)' is not implemented yet")
    }
}
