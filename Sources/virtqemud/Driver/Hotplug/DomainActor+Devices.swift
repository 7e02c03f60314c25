import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Attaching and detaching: under a job, checked on every definition that is affected before anything is done.
extension DomainActor {
    /// VIR_DOMAIN_DEVICE_MODIFY_FORCE.
    static let forceFlag: UInt32 = 4

    /// virDomainAttachDeviceFlags.
    func attachDevice(_ xml: String, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainAttachDeviceLiveAndConfig")
        try await withJob(.modify, "virDomainAttachDeviceFlags", client: client.id) {
            let impact = try self.impact(flags)
            let document = try DeviceDocument(parsing: xml)
            let config = impact.config ? try await self.adding(document, to: self.config) : nil
            if impact.live { try await self.plug(document) }
            if let config { try await self.changeConfig { $0 = config } }
        }
    }

    /// virDomainDetachDeviceFlags.
    func detachDevice(_ xml: String, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainDetachDeviceLiveAndConfig")
        try await withJob(.modify, "virDomainDetachDeviceFlags", client: client.id) {
            let impact = try self.impact(flags)
            let document = try DeviceDocument(parsing: xml)
            var config = impact.config ? self.config : nil
            try config?.devices.remove(document.devices, kind: document.kind, isLive: false)
            if impact.live {
                let alias = try self.liveAlias(document)
                try await self.unplug(alias, waits: true)
            }
            if let config { try await self.changeConfig { $0 = config } }
        }
    }

    /// virDomainDetachDeviceAlias: asks the guest and does not wait for it.
    func detachDevice(alias: String, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainDetachDeviceAlias")
        try await withJob(.modify, "virDomainDetachDeviceAlias", client: client.id) {
            let impact = try self.impact(flags)
            let missing = VirtError(.deviceMissing, .domain, "no device found with alias \(alias)")
            var config = impact.config ? self.config : nil
            if config != nil, config?.devices.take(alias: alias) == Devices() { throw missing }
            if impact.live {
                var live = self.live
                guard live?.devices.take(alias: alias) != Devices() else { throw missing }
                try await self.unplug(alias, waits: false)
            }
            if let config { try await self.changeConfig { $0 = config } }
        }
    }

    func impact(_ flags: UInt32) throws -> ModificationImpact {
        try ModificationImpact(flags, isActive: runtime != nil, isPersistent: isPersistent)
    }

    /// A definition with one more device, which has its defaults and addresses.
    func adding(_ document: DeviceDocument, to definition: Domain?) async throws -> Domain {
        guard let before = definition else { throw removedError }
        var domain = before
        try domain.devices.checkNew(document)
        try domain.devices.append(document.devices)
        try domain.devices.checkTargets()
        try await driver.complete(&domain, after: before)
        return domain
    }

    /// The alias of the live device that a document means.
    private func liveAlias(_ document: DeviceDocument) throws -> String {
        let (live, _) = try running()
        var rest = live.devices
        try rest.remove(document.devices, kind: document.kind, isLive: true)
        let before = live.aliases
        var after = live
        after.devices = rest
        guard let alias = before.subtracting(after.aliases).first else {
            throw VirtError(.internalError, .qemu, "device has no alias")
        }
        return alias
    }
}

extension Domain {
    /// The aliases of all devices.
    var aliases: Set<String> {
        var found: Set<String> = []
        eachInfo { info in
            if let alias = info.alias { found.insert(alias) }
        }
        return found
    }

    /// The alias of the device that was added to a guest. C libvirt's guests have devices without one, a panic device for
    /// instance: those get theirs with the new device, and are not it.
    func newAlias(since before: Domain) -> String? {
        var before = before
        before.assignAliases()
        return aliases.subtracting(before.aliases).first
    }
}
