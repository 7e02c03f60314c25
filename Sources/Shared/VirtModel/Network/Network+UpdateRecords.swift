import VirtCore
import VirtXML

// virNetworkUpdate of port groups, forward devices and DNS records.
extension Network {
    mutating func updateInterface(_ update: Update, _ element: XMLNode) throws {
        let wanted = try command(update, element, "interface", fixed: "forward interface entries")
        guard let device = element.attribute("dev") else {
            throw NetworkXML.malformed("missing dev attribute in <interface> element")
        }
        guard var forward else { throw conflict("network '\(name)' has no <forward> element") }
        let found = forward.devices.firstIndex { $0.kind == .interface(device) }
        if wanted == .delete {
            guard let found else {
                throw conflict(
                    "couldn't find an interface entry in network '\(name)' matching <interface dev='\(device)'>")
            }
            let connections = forward.devices[found].connections
            if connections > 0 {
                throw conflict(
                    "unable to delete interface '\(device)' in network '\(name)'. It is currently being used  "
                        + "by \(connections) domains.")
            }
            forward.devices.remove(at: found)
        } else {
            if found != nil {
                throw conflict(
                    "there is an existing interface entry in network '\(name)' that matches \"<interface "
                        + "dev='\(device)'>\"")
            }
            forward.devices.insert(Device(.interface(device)), at: wanted == .addFirst ? 0 : forward.devices.count)
        }
        self.forward = forward
    }

    mutating func updatePortGroup(_ update: Update, _ element: XMLNode) throws {
        let wanted = try command(update, element, "portgroup")
        let group: PortGroup = try ElementReader.read(element)
        let found = portGroups.firstIndex { $0.name == group.name }
        if found == nil, !wanted.isAdding {
            throw conflict(
                "couldn't find a portgroup entry in network '\(name)' matching <portgroup name='\(group.name)'>")
        }
        if found != nil, wanted.isAdding {
            throw conflict(
                "there is an existing portgroup entry in network '\(name)' that matches \"<portgroup "
                    + "name='\(group.name)'>\"")
        }
        let standard = portGroups.lastIndex { $0.isDefault }
        if wanted != .delete, group.isDefault, let standard, standard != found {
            throw conflict(
                "a different portgroup entry in network '\(name)' is already set as the default. Only one "
                    + "default is allowed.")
        }
        if let found {
            if wanted == .delete { portGroups.remove(at: found) } else { portGroups[found] = group }
        } else {
            portGroups.insert(group, at: wanted == .addFirst ? 0 : portGroups.count)
        }
    }

    mutating func updateHost(_ update: Update, _ element: XMLNode) throws {
        let wanted = try command(update, element, "host", fixed: "DNS HOST records")
        let host: Host = try ElementReader.read(element)
        try host.validate(asKey: wanted == .delete)
        let found = dns.hosts.indices.filter { index in
            let other = dns.hosts[index]
            if let ip = host.ip, ip == other.ip { return true }
            return wanted == .delete && !Set(host.names).isDisjoint(with: other.names)
        }
        if wanted == .delete {
            dns.hosts.remove(at: try single(found, "DNS HOST record", "multiple matching DNS HOST records were found"))
        } else {
            if !found.isEmpty {
                throw conflict(
                    "there is already at least one DNS HOST record with a matching field in network \(name)")
            }
            dns.hosts.insert(host, at: wanted == .addFirst ? 0 : dns.hosts.count)
        }
    }

    mutating func updateService(_ update: Update, _ element: XMLNode) throws {
        let wanted = try command(update, element, "srv", fixed: "DNS SRV records")
        let record: Service = try ElementReader.read(element)
        try record.validate(asKey: wanted == .delete)
        let found = dns.services.indices.filter { record.selects(dns.services[$0]) }
        if wanted == .delete {
            let several = "multiple DNS SRV records matching all specified fields were found"
            dns.services.remove(at: try single(found, "DNS SRV record", several))
        } else {
            if !found.isEmpty {
                throw conflict(
                    "there is already at least one DNS SRV record matching all specified fields in network \(name)")
            }
            dns.services.insert(record, at: wanted == .addFirst ? 0 : dns.services.count)
        }
    }

    mutating func updateText(_ update: Update, _ element: XMLNode) throws {
        let wanted = try command(update, element, "txt", fixed: "DNS TXT records")
        let record: Text = try ElementReader.read(element)
        try record.validate(asKey: wanted == .delete)
        let found = dns.texts.firstIndex { $0.name == record.name }
        if wanted == .delete {
            dns.texts.remove(at: try single(found.map { [$0] } ?? [], "DNS TXT record", ""))
        } else {
            if found != nil {
                throw conflict("there is already a DNS TXT record with name '\(record.name)' in network \(name)")
            }
            dns.texts.insert(record, at: wanted == .addFirst ? 0 : dns.texts.count)
        }
    }

    private func single(_ found: [Int], _ label: String, _ several: String) throws(VirtError) -> Int {
        guard let first = found.first else { throw conflict("couldn't locate a matching \(label) in network \(name)") }
        if found.count > 1 { throw conflict("\(several) in network \(name)") }
        return first
    }
}

extension Network.Service {
    /// Whether all fields that are given are those of another record.
    fileprivate func selects(_ other: Self) -> Bool {
        (domain == nil || domain == other.domain) && (service == nil || service == other.service)
            && (transport == nil || transport == other.transport) && (target == nil || target == other.target)
    }
}
