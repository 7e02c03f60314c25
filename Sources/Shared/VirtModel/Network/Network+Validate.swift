import VirtCore
import VirtXML

extension Network {
    /// Checks of a document by itself, made while it is read.
    func validateDocument() throws(VirtError) {
        try validateRoutes()
        try validateMode()
        if mtu != nil, !isManaged, let mode = forward?.mode {
            throw NetworkXML.malformed(
                "mtu size only allowed in open, route, nat, and isolated mode, not in \(mode.rawValue) (network "
                    + "'\(name)')")
        }
    }

    /// Each gateway must be reachable through one of the bridge's addresses.
    private func validateRoutes() throws(VirtError) {
        for route in routes {
            let isReachable = addresses.contains { ip in
                guard ip.family == route.gateway.family, let prefix = ip.prefix,
                    let base = ip.address.network(prefix: prefix)
                else { return false }
                return route.gateway.network(prefix: prefix) == base
            }
            guard isReachable else {
                throw NetworkXML.unsupported(
                    "unreachable static route gateway '\(route.gateway)' specified for network '\(name)'")
            }
        }
    }

    private func validateMode() throws(VirtError) {
        guard let forward else { return }
        let mode = forward.mode.rawValue
        switch forward.mode {
        case .nat, .route, .open:
            if addresses.isEmpty {
                throw NetworkXML.malformed(
                    "\(mode) forwarding requested, but no IP address provided for network '\(name)'")
            }
            if forward.devices.count > 1 {
                throw NetworkXML.malformed(
                    "multiple forwarding interfaces specified for network '\(name)', only one is supported")
            }
            if forward.mode == .open, !forward.devices.isEmpty {
                throw NetworkXML.malformed(
                    "forward dev not allowed for network '\(name)' with forward mode='\(mode)'")
            }
        case .private, .vepa, .passthrough, .hostdev:
            try validateNoBridge(mode)
            try validateExternal(forward)
        case .bridge:
            try validateExternal(forward)
        }
    }

    private func validateNoBridge(_ mode: String) throws(VirtError) {
        let parts = [
            ("bridge name", bridge.name != nil), ("bridge zone", bridge.zone != nil),
            ("bridge macTableManager setting", bridge.macTableManager != nil),
        ]
        for (part, isGiven) in parts where isGiven {
            throw NetworkXML.malformed("\(part) not allowed in \(mode) mode (network '\(name)')")
        }
    }

    private func validateExternal(_ forward: Forward) throws(VirtError) {
        if (bridge.delay ?? 0) != 0 || bridge.stp != nil || bridge.zone != nil {
            throw NetworkXML.malformed(
                "bridge delay/stp/zone options only allowed in route, nat, and isolated mode, not in "
                    + "\(forward.mode.rawValue) (network '\(name)')")
        }
        if bridge.name != nil, !forward.devices.isEmpty || forward.physicalFunction != nil {
            throw NetworkXML.malformed(
                "A network with forward mode='\(forward.mode.rawValue)' can specify a bridge name or a forward "
                    + "dev, but not both (network '\(name)')")
        }
    }
}
