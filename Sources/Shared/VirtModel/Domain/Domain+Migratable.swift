extension Domain {
    /// The document's form for another host, which may run an older libvirt: without what old ones do not know and
    /// add by themselves.
    package func migratable() -> Domain {
        var copy = self
        copy.id = nil
        if machineKind.isI440FX { copy.removeOnlyController(.usb, [nil, .piix3UHCI]) }
        copy.removeOnlyController(.pci, [.pciRoot])
        copy.devices.panics.removeAll { $0.model == .s390 || $0.model == .pseries }
        copy.devices.inputs.removeAll { $0.type == .keyboard && $0.bus == .ps2 }
        for index in copy.devices.serials.indices {
            let target = copy.devices.serials[index].target
            guard target == .spaprVIO || target == .system else { continue }
            copy.devices.serials[index].target = nil
            copy.devices.serials[index].model = nil
        }
        copy.dropFound()
        if let audio = devices.audios.first, devices.audios.count == 1, audio.isPlain { copy.devices.audios = [] }
        return copy
    }

    /// What was found out or made up when the guest started, and will be again.
    private mutating func dropFound() {
        for index in devices.disks.indices {
            if devices.disks[index].backingStore?.source != nil { devices.disks[index].backingStore = nil }
            if devices.disks[index].driver?.type == nil { devices.disks[index].driver?.type = "raw" }
        }
        for index in devices.channels.indices {
            let isGenerated = devices.channels[index].source.path?.contains("/channel/target/") == true
            if isGenerated { devices.channels[index].source.path = nil }
        }
        securityLabels.removeAll { $0.type == .dynamic && $0.baseLabel == nil && $0.relabel == true && $0.label != nil }
    }

    /// Takes out the first controller of a kind when it is the only one, of a common model and has no name of its own.
    private mutating func removeOnlyController(_ type: Controller.Kind, _ models: [ControllerModel?]) {
        let own = devices.controllers.filter { $0.type == type }
        guard own.count == 1, let only = own.first, only.index == 0, models.contains(only.model),
            !only.info.isUserAlias, only.pciHole64 == nil
        else { return }
        devices.controllers.removeAll { $0.type == type }
    }
}

extension Audio {
    /// Nothing is said but where the sound goes.
    fileprivate var isPlain: Bool {
        var plain = Audio()
        plain.type = type
        return self == plain
    }
}
