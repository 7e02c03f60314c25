import VirtCore
import VirtModel
import VirtXML

/// What the driver asks of a domain's model again and again.
extension Domain {
    /// The UUID, which every complete definition has.
    var identity: UUID { uuid ?? .zero }

    /// The guest boots again instead of ending when it powers off.
    var restartsOnPowerOff: Bool { onPoweroff == .restart }

    enum CrashAction { case destroy, restart, preserve }

    /// What becomes of a guest that panicked.
    var crashAction: CrashAction {
        switch onCrash {
        case .restart?, .renameRestart?, .coredumpRestart?: .restart
        case .preserve?: .preserve
        case .destroy?, .coredumpDestroy?, nil: .destroy
        }
    }

    /// The memory that the guest is to use, in KiB.
    var currentMemoryKibibytes: UInt64 {
        get { currentMemory ?? maximumMemoryKibibytes }
        set { currentMemory = newValue }
    }

    /// All memory that the guest has at start, in KiB.
    var maximumMemoryKibibytes: UInt64 { memory.size ?? 0 }

    /// The processors that are on.
    var onlineVCPUs: UInt32 { vcpu.current ?? vcpu.maximum }

    /// `virtio-disk0`, ...: what an image's node belongs to.
    struct DiskName: Sendable, Equatable {
        let name: String
        let path: String?
        let alias: String?
    }

    /// The disk whose chain has a block node (`libvirt-2-format`).
    func disk(nodeName: String) -> DiskName? {
        let parts = nodeName.split(separator: "-")
        guard parts.count == 3, parts[0] == "libvirt", let index = UInt32(parts[1]) else { return nil }
        for disk in devices.disks where disk.chain.contains(where: { $0.index == index }) {
            return DiskName(name: disk.target.dev ?? "", path: disk.source.path, alias: disk.info.alias)
        }
        return nil
    }

    /// The definition without what only a running guest has.
    func inactive() throws -> Domain {
        try Domain.parse(try format([.inactive, .secure]), flags: .inactive)
    }

    /// Without the devices that every such machine has: older libvirt puts them in by itself.
    var withoutImpliedDevices: Domain {
        var domain = self
        domain.devices.controllers.removeAll { controller in
            guard controller.index == 0 else { return false }
            let isPlain = controller.driver == nil && controller.pciHole64 == nil
            switch controller.model {
            case .pciRoot?, .pcieRoot?: return isPlain
            case .piix3UHCI?: return isPlain && !controller.info.isUserAlias
            default: return false
            }
        }
        domain.devices.inputs.removeAll { $0.type == .keyboard && $0.bus == .ps2 }
        domain.devices.audios.removeAll { $0.type == .none }
        return domain
    }

    /// The disk with a target name or a source path.
    func diskIndex(_ name: String) -> Int? {
        devices.disks.firstIndex { $0.target.dev == name }
            ?? devices.disks.firstIndex { $0.source.path != nil && $0.source.path == name }
    }

    /// The interface with a host device's name or a MAC address.
    func interfaceIndex(_ name: String) -> Int? {
        if let mac = MACAddress(parsing: name) {
            return devices.interfaces.firstIndex { $0.mac == mac }
        }
        return devices.interfaces.firstIndex { $0.targetDevice == name }
    }

    /// Notes that a drive's tray moved. The drive's alias, nil when there is no such drive.
    mutating func setTray(open: Bool, identifier: String, device: String) -> String? {
        let names = [identifier, device].map { name -> Substring in
            // Older machines name the backend: /machine/peripheral/ALIAS/...
            let parts = name.split(separator: "/")
            if parts.count > 2, parts[1] == "peripheral" { return parts[2] }
            return name.hasPrefix("drive-") ? name.dropFirst(6) : name[...]
        }
        guard
            let index = devices.disks.firstIndex(where: { disk in
                disk.info.alias.map { names.contains($0[...]) } ?? false
            })
        else { return nil }
        devices.disks[index].target.tray = open ? .open : nil
        return devices.disks[index].info.alias
    }

    struct ChannelChange: Sendable, Equatable {
        /// The guest agent's channel.
        let isAgent: Bool
    }

    /// Notes that the guest opened or closed its end of a channel. Of the agent's each report counts: one that comes
    /// after a restored state says so again.
    mutating func setChannel(alias: String, connected: Bool) -> ChannelChange? {
        guard let index = devices.channels.firstIndex(where: { $0.info.alias == alias }) else { return nil }
        let state: Channel.State = connected ? .connected : .disconnected
        guard devices.channels[index].state != state || devices.channels[index].isAgent else { return nil }
        devices.channels[index].state = state
        return ChannelChange(isAgent: devices.channels[index].isAgent)
    }

    /// Whether the guest has a channel for the guest agent.
    var hasAgentChannel: Bool { devices.channels.contains(where: \.isAgent) }
    var isAgentConnected: Bool { devices.channels.contains { $0.isAgent && $0.state == .connected } }
}

extension Channel {
    /// The channel that the QEMU guest agent listens on.
    var isAgent: Bool { target == .virtio && name == "org.qemu.guest_agent.0" && source.type == .unix }
}
