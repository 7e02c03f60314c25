import QEMUMonitor
import VirtCore
package import VirtModel

/// Network backends and cards.
extension CommandBuilder {
    mutating func addInterfaces() throws(VirtError) {
        var networkBoot = domain.os.bootDevices.firstIndex(of: .network).map { UInt32(truncatingIfNeeded: $0) + 1 }
        for interface in devices.interfaces {
            if interface.actualType == .hostdev { continue }
            let alias = interface.info.alias ?? ""
            let host = "host\(alias)"
            if interface.actualType == .vhostuser { addVhostUserChannel(interface, alias) }
            let backend = try backend(interface, alias, id: host)
            add(netdev: backend)
            addZPCI(interface.info)
            let boot = interface.info.boot?.order ?? networkBoot
            networkBoot = nil
            if isOnBoard(interface) {
                addOnBoard(interface, alias, netdev: host)
                continue
            }
            let card = try card(interface, alias, netdev: host, bootIndex: boot, usesVhost: backend["vhost"] == true)
            add(device: card)
        }
    }

    // MARK: Backends

    private mutating func backend(_ interface: Interface, _ alias: String, id: String) throws(VirtError) -> JSONObject {
        var properties: JSONObject
        switch interface.actualType {
        case .network, .bridge, .direct, .ethernet: properties = tap(interface, alias)
        case .user where environment.interfaces[alias] == nil && !environment.endsBackingChains:
            // A guest that isn't started is shown with taps only.
            properties = tap(interface, alias)
        case .user: properties = user(interface)
        case .server, .client, .mcast, .udp: properties = socket(interface)
        case .internal: throw unsupported(interface)
        case .vhostuser:
            properties = ["type": "vhost-user", "chardev": .string("char\(alias)")]
            properties.add("queues", interface.driver?.queues)
        case .vdpa:
            var path = interface.source.dev ?? ""
            if let set = environment.vdpa[alias] {
                add("-add-fd", "set=\(set.number),fd=\(set.descriptor),opaque=\(alias)-vdpa")
                path = "/dev/fdset/\(set.number)"
            }
            properties = ["type": "vhost-vdpa", "vhostdev": .string(path)]
        case .hostdev, .vds, .null: throw unsupported(interface)
        }
        properties.add("id", id)
        return properties
    }

    private func unsupported(_ interface: Interface) -> VirtError {
        VirtError(.configUnsupported, .qemu, "network type '\(interface.type.rawValue)' is not supported")
    }

    private mutating func tap(_ interface: Interface, _ alias: String) -> JSONObject {
        var properties: JSONObject = ["type": "tap"]
        let backend = environment.interfaces[alias] ?? invented()
        if backend.tap.count == 1 {
            properties.add("fd", backend.tap.first.map(String.init))
        } else {
            properties.add("fds", backend.tap.map(String.init).joined(separator: ":"))
        }
        if !backend.vhost.isEmpty {
            properties.add("vhost", true)
            if backend.vhost.count == 1 {
                properties.add("vhostfd", backend.vhost.first.map(String.init))
            } else {
                properties.add("vhostfds", backend.vhost.map(String.init).joined(separator: ":"))
            }
        }
        properties.add("sndbuf", interface.sendBuffer)
        return properties
    }

    private mutating func invented() -> CommandEnvironment.InterfaceBackend {
        defer { inventedDescriptor += 1 }
        return .init(tap: [inventedDescriptor])
    }

    private func user(_ interface: Interface) -> JSONObject {
        var properties: JSONObject = ["type": "user"]
        for address in interface.addresses {
            guard let prefix = address.prefix else { continue }
            if address.family == "ipv6" {
                properties.add("ipv6-prefix", address.address)
                properties.add("ipv6-prefixlen", prefix)
            } else {
                properties.add("net", "\(address.address)/\(prefix)")
            }
        }
        return properties
    }

    private func socket(_ interface: Interface) -> JSONObject {
        let source = interface.source
        let place = "\(source.address ?? ""):\(source.port ?? 0)"
        var properties: JSONObject = ["type": "socket"]
        switch interface.actualType {
        case .client: properties.add("connect", place)
        case .server: properties.add("listen", place)
        case .mcast: properties.add("mcast", place)
        default:
            properties.add("udp", place)
            properties.add("localaddr", "\(source.localAddress ?? ""):\(source.localPort ?? 0)")
        }
        return properties
    }

    private mutating func addVhostUserChannel(_ interface: Interface, _ alias: String) {
        let user = interface.source.vhostUser
        var text = "socket,id=char\(alias),path=\(KeyValueText.escape(user?.path ?? ""))"
        if user?.mode == "server" { text += ",server=on" }
        if let reconnect = interface.source.reconnect, reconnect.enabled == true, let timeout = reconnect.timeout {
            text += ",reconnect=\(timeout)"
        }
        add("-chardev", text)
    }

    // MARK: Cards

    /// A card that is part of an ARM board: QEMU only takes it in its oldest form.
    private func isOnBoard(_ interface: Interface) -> Bool {
        guard machine.isARM else { return false }
        switch interface.info.address {
        case .pci, .virtioMMIO: return false
        default: return true
        }
    }

    private mutating func addOnBoard(_ interface: Interface, _ alias: String, netdev: String) {
        let model = interface.model.map { ",model=\($0)" } ?? ""
        add("-net", "nic,macaddr=\(interface.mac?.description ?? ""),netdev=\(netdev)\(model),id=\(alias)")
    }

    private func card(
        _ interface: Interface, _ alias: String, netdev: String, bootIndex: UInt32?, usesVhost: Bool
    ) throws(VirtError) -> JSONObject {
        guard let model = interface.model else {
            throw VirtError(.internalError, .qemu, "argument key 'driver' must not have null value")
        }
        let isVirtio = model.hasPrefix("virtio")
        var properties: JSONObject = [
            "driver": .string(isVirtio ? virtioDriver("virtio-net", interface.info, model: model) : model)
        ]
        if isVirtio { addVirtioCard(interface, usesVhost: usesVhost, to: &properties) }
        properties.add("host_mtu", interface.mtu.flatMap { isVirtio ? $0 : nil })
        properties.add("netdev", netdev)
        properties.add("id", alias)
        properties.add("mac", interface.mac?.description)
        properties.add("bootindex", bootIndex)
        try addAddress(interface.info, to: &properties)
        if let rom = interface.info.rom { addROM(rom, to: &properties) }
        if let teaming = interface.teaming {
            switch teaming.type {
            case .persistent: properties.add("failover", true)
            case .transient: properties.add("failover_pair_id", teaming.persistent)
            }
        }
        return properties
    }

    func addROM(_ rom: OptionROM, to properties: inout JSONObject) {
        if let bar = rom.bar { properties.add("rombar", bar ? 1 : 0) }
        if rom.enabled == false { properties.add("romfile", "") } else { properties.add("romfile", rom.file) }
    }

    private func addVirtioCard(_ interface: Interface, usesVhost: Bool, to properties: inout JSONObject) {
        guard let driver = interface.driver else { return }
        switch driver.transmitMode {
        case .iothread: properties.add("tx", "bh")
        case .timer: properties.add("tx", "timer")
        case nil: break
        }
        properties.add("ioeventfd", driver.ioeventfd)
        properties.add("event_idx", driver.eventIndex)
        if let host = driver.host {
            properties.add("csum", host.csum)
            properties.add("gso", host.gso)
            properties.add("host_tso4", host.tso4)
            properties.add("host_tso6", host.tso6)
            properties.add("host_ecn", host.ecn)
            properties.add("host_ufo", host.ufo)
            properties.add("mrg_rxbuf", host.mergeBuffers)
        }
        if let guest = driver.guest {
            properties.add("guest_csum", guest.csum)
            properties.add("guest_tso4", guest.tso4)
            properties.add("guest_tso6", guest.tso6)
            properties.add("guest_ecn", guest.ecn)
            properties.add("guest_ufo", guest.ufo)
        }
        if let queues = driver.queues, queues > 1, usesVhost {
            properties.add("mq", true)
            if case .pci = interface.info.address { properties.add("vectors", 2 &* queues &+ 2) }
        }
        properties.add("rss", driver.rss)
        properties.add("hash", driver.rssHashReport)
        properties.add("rx_queue_size", driver.receiveQueueSize)
        properties.add("tx_queue_size", driver.transmitQueueSize)
        addVirtio(driver.virtio, to: &properties)
    }
}

extension Interface {
    /// What the interface really is: a network decides for those of type `network`.
    package var actualType: Kind { actual?.type ?? type }
}
