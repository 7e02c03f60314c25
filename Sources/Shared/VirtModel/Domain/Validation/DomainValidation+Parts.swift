package import VirtCore
import VirtXML

/// What parts of the guest say of each other.
extension DomainValidation {
    /// Sound cards and displays name audio backends by their numbers.
    func checkAudioReferences() throws(VirtError) {
        var ids: Set<UInt32> = []
        for audio in devices.audios where !ids.insert(audio.id).inserted {
            throw VirtError.malformed("audio ID \(audio.id) is used multiple times")
        }
        for id in devices.sounds.compactMap(\.audioID) + devices.graphics.compactMap(\.audioID)
        where !ids.contains(id) {
            throw VirtError.malformed("no audio device with ID \(id)")
        }
    }

    /// Modules need slots, and slots a node.
    func checkMemoryModules() throws(VirtError) {
        let isHotplug = domain.maximumMemory != nil
        if isHotplug, domain.cpu?.numa?.cells.isEmpty ?? true, !machine.isPPC64 {
            throw VirtError.unsupported(
                "At least one numa node has to be configured when enabling memory hotplug", .qemu)
        }
        if !isHotplug, devices.memories.contains(where: { $0.model != .sgxEPC }) {
            throw VirtError.unsupported(
                "cannot use/hotplug a memory device when domain 'maxMemory' is not defined", .qemu)
        }
    }
}

extension Domain {
    /// What QEMU's guests can do when they end.
    package func checkLifecycle() throws(VirtError) {
        for action in [onReboot, onPoweroff, onCrash] where action == .renameRestart {
            throw VirtError.unsupported(
                "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'",
                .qemu)
        }
        for action in [onReboot, onPoweroff] where action == .preserve {
            throw VirtError.unsupported(
                "qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'", .qemu)
        }
        if onReboot == .destroy, onPoweroff == .restart {
            throw VirtError.unsupported(
                "qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'", .qemu)
        }
    }
}
