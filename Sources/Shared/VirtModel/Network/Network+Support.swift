package import VirtCore
import VirtXML

extension Network {
    /// Checks whether the daemon can do what a definition asks for, made when it is defined or created.
    ///
    /// - Parameter isVirtualFunction: whether a PCI device of the host is an SR-IOV virtual function.
    package func validateSupport(isVirtualFunction: (PCIAddress) -> Bool) throws(VirtError) {
        if name.contains("\n") { throw VirtError(.xmlDetail, .xml, "invalid char in name: \n") }
        if let forward, !forward.mode.isManaged { try validateExternalParts(forward) }
        if let forward { try validateDevices(forward, isVirtualFunction) }
        try validateDHCP()
        try validatePortGroups()
    }

    private var allowsBandwidth: Bool { isManaged || forward?.mode == .bridge && bridge.name != nil }

    private func validateExternalParts(_ forward: Forward) throws(VirtError) {
        let hasRecords = !(dns.texts.isEmpty && dns.hosts.isEmpty && dns.services.isEmpty)
        let parts = [
            ("<mac>", mac != nil), ("<ip>", !addresses.isEmpty), ("<dns>", hasRecords),
            ("<domain>", domain?.name != nil),
        ]
        for (element, isGiven) in parts where isGiven {
            throw NetworkXML.unsupported(
                "Unsupported \(element) element in network \(name) with forward mode='\(forward.mode.rawValue)'")
        }
        if bandwidth != nil, !allowsBandwidth {
            throw NetworkXML.unsupported(
                "Unsupported network-wide <bandwidth> element in network \(name) with forward "
                    + "mode='\(forward.mode.rawValue)'")
        }
    }

    private func validateDevices(_ forward: Forward, _ isVirtualFunction: (PCIAddress) -> Bool) throws(VirtError) {
        for device in forward.devices {
            switch device.kind {
            case .interface(let interface):
                guard forward.mode == .hostdev else { continue }
                throw NetworkXML.unsupported(
                    "hostdev network '\(name)' lists '\(interface)' in the device pool, but hostdev networks "
                        + "require all devices to be listed by PCI address, not network device name")
            case .pci(let address):
                guard forward.mode == .hostdev else {
                    throw NetworkXML.unsupported(
                        "network '\(name)' has forward mode '\(forward.mode.rawValue)'  but lists a device by "
                            + "PCI address in the device pool. This is only supported for networks with forward "
                            + "mode 'hostdev'")
                }
                guard isVirtualFunction(address) else {
                    throw NetworkXML.unsupported(
                        "device '/sys/bus/pci/devices/\(address)' in network '\(name)' is not an SR-IOV Virtual "
                            + "Function")
                }
            }
        }
        if forward.physicalFunction != nil, !forward.devices.isEmpty {
            throw NetworkXML.unsupported(
                "<address>, <interface>, and <pf> elements of <forward> in network \(name) are mutually exclusive")
        }
    }

    private func validateDHCP() throws(VirtError) {
        for (family, label) in [(IPAddress.Family.ipv4, "IPv4"), (.ipv6, "IPv6")]
        where addresses.filter({ $0.family == family && $0.hasDHCP }).count > 1 {
            throw NetworkXML.unsupported(
                "Multiple \(label) dhcp sections found -- dhcp is supported only for a single \(label) address "
                    + "on each network")
        }
    }

    /// Whether guests may be put into a VLAN: from a pool of virtual functions, and on an Open vSwitch bridge.
    private var allowsVLAN: Bool {
        switch forward?.mode {
        case .hostdev, .passthrough: true
        case .bridge: virtualPort?.kind == .openVSwitch
        case .nat, .route, .open, .private, .vepa, nil: false
        }
    }

    private func validatePortGroups() throws(VirtError) {
        var isMisused = false
        for (index, group) in portGroups.enumerated() {
            if vlan != nil || group.vlan != nil {
                let isSwitch = group.virtualPort.map { forward?.mode == .bridge && $0.kind == .openVSwitch }
                if !(isSwitch ?? allowsVLAN) { isMisused = true }
            }
            try validate(group, before: portGroups[..<index])
        }
        if isMisused || vlan != nil && !allowsVLAN && !portGroups.contains(where: { $0.isDefault }) {
            throw NetworkXML.unsupported(
                "<vlan> element specified for network \(name), whose type doesn't support vlan configuration")
        }
    }

    private func validate(_ group: PortGroup, before: ArraySlice<PortGroup>) throws(VirtError) {
        if group.isDefault, let other = before.first(where: { $0.isDefault }) {
            throw NetworkXML.unsupported(
                "network '\(name)' has multiple default <portgroup> elements (\(other.name) and \(group.name)), "
                    + "but only one default is allowed")
        }
        if before.contains(where: { $0.name == group.name }) {
            throw NetworkXML.unsupported(
                "multiple <portgroup> elements with the same name (\(group.name)) in network '\(name)'")
        }
        if group.bandwidth != nil, !allowsBandwidth, let mode = forward?.mode {
            throw NetworkXML.unsupported(
                "Unsupported <bandwidth> element in network '\(name)' in portgroup '\(group.name)' with forward "
                    + "mode='\(mode.rawValue)'")
        }
    }
}
