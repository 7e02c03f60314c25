import VirtCore
import VirtModel
import VirtRPC
import VirtWire

extension NetworkHandlers {
    private static func wire(_ network: RemoteNonnullNetwork, _ uuid: UUID) -> RemoteNonnullNetworkPort {
        RemoteNonnullNetworkPort(net: network, uuid: uuid)
    }

    /// A port of a running network.
    private func port(_ port: RemoteNonnullNetworkPort) throws(VirtError) -> NetworkPort {
        let entry = try entry(port.net)
        let found = try entry.port(port.uuid)
        _ = try entry.requireActive()
        return found
    }

    func installPorts(into table: inout HandlerTable) {
        let service = service
        table.on(RemoteProgram.NetworkListAllPorts.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 0, "networkListAllPorts")
            let entry = try entry(arguments.network)
            _ = try entry.requireActive()
            let ports = arguments.needResults != 0 ? entry.ports : []
            return RemoteNetworkListAllPortsRet(
                ports: ports.map { Self.wire(Self.wire(entry), $0.uuid) }, ret: UInt32(entry.ports.count))
        }
        table.on(RemoteProgram.NetworkPortLookupByUuid.self) { arguments, _ in
            let wanted = Self.wire(arguments.network, arguments.uuid)
            return RemoteNetworkPortLookupByUuidRet(port: Self.wire(arguments.network, try port(wanted).uuid))
        }
        table.on(RemoteProgram.NetworkPortGetXmlDesc.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 0, "networkPortGetXMLDesc")
            return RemoteNetworkPortGetXmlDescRet(xml: try port(arguments.port).format())
        }
        table.onAsync(RemoteProgram.NetworkPortCreateXml.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 3, "networkPortCreateXML")
            if arguments.flags & 2 != 0 { try await Self.validate(arguments.xml, "networkport") }
            let network = arguments.network
            let port = try await service.createPort(
                network.uuid, network.name, arguments.xml, isReclaimed: arguments.flags & 1 != 0)
            return RemoteNetworkPortCreateXmlRet(port: Self.wire(network, port.uuid))
        }
        table.onAsync(RemoteProgram.NetworkPortDelete.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 0, "networkPortDelete")
            let port = arguments.port
            try await service.deletePort(port.net.uuid, port.net.name, port.uuid)
            return XDRVoid()
        }
        installParameters(into: &table)
    }

    private func installParameters(into table: inout HandlerTable) {
        let service = service
        table.on(RemoteProgram.NetworkPortGetParameters.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 0, "networkPortGetParameters")
            let parameters = Self.parameters(try port(arguments.port).bandwidth)
            // Asked with no room, the call tells how many there are.
            let shown = arguments.nparams == 0 ? [] : parameters
            return RemoteNetworkPortGetParametersRet(params: shown, nparams: Int32(parameters.count))
        }
        table.onAsync(RemoteProgram.NetworkPortSetParameters.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 0, "networkPortSetParameters")
            let port = arguments.port
            try await service.setParameters(
                port.net.uuid, port.net.name, port.uuid, try Self.bandwidth(arguments.params))
            return XDRVoid()
        }
    }

    /// The parameters' names, in libvirt's order.
    private static var inbound: [(String, WritableKeyPath<Bandwidth.Rate, UInt64>)] {
        [("average", \.average), ("peak", \.peak), ("floor", \.floor), ("burst", \.burst)]
    }

    private static func parameters(_ bandwidth: Bandwidth?) -> [TypedParameter] {
        var result: [TypedParameter] = []
        func add(_ direction: String, _ rate: Bandwidth.Rate) {
            for (name, path) in inbound where direction == "inbound" || name != "floor" {
                result.append(
                    TypedParameter(
                        "\(direction).\(name)", .uint(UInt32(truncatingIfNeeded: rate[keyPath: path]))))
            }
        }
        if let rate = bandwidth?.inbound { add("inbound", rate) }
        if let rate = bandwidth?.outbound { add("outbound", rate) }
        return result
    }

    private static func bandwidth(_ parameters: [TypedParameter]) throws(VirtError) -> Bandwidth {
        var rates = ["inbound": Bandwidth.Rate(), "outbound": Bandwidth.Rate()]
        for parameter in parameters {
            let parts = parameter.field.split(separator: ".", maxSplits: 1).map { String($0) }
            guard parts.count == 2, let path = inbound.first(where: { $0.0 == parts[1] })?.1,
                rates[parts[0]] != nil, parameter.field != "outbound.floor"
            else {
                throw VirtError(.invalidArg, .network, "parameter '\(parameter.field)' not supported")
            }
            guard case .uint(let value) = parameter.value else {
                throw VirtError(
                    .invalidArg, .network, "invalid type for parameter '\(parameter.field)', expected 'uint'")
            }
            rates[parts[0]]?[keyPath: path] = UInt64(value)
        }
        var bandwidth = Bandwidth()
        if let rate = rates["inbound"], rate.average != 0 || rate.floor != 0 { bandwidth.inbound = rate }
        if let rate = rates["outbound"], rate.average != 0 { bandwidth.outbound = rate }
        return bandwidth
    }
}
