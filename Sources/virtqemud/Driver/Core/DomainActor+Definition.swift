import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtWire

/// The persistent definition and what belongs to it.
extension DomainActor {
    /// Stores a new domain's definition and makes it known.
    func define(_ domain: Domain) async throws -> RemoteNonnullDomain {
        let text = try QEMUDriver.file(of: domain)
        keep(domain, text: text)
        try driver.registry.insert(self, makeSnapshot())
        do {
            try await withJob(.modify, "virDomainDefineXMLFlags") { try await self.write(domain.name, text) }
        } catch {
            removeFromRegistry()
            throw error
        }
        emit(.defined(.added))
        return handle
    }

    /// Replaces the definition; a running guest gets it at its next start.
    func redefine(_ domain: Domain) async throws -> RemoteNonnullDomain {
        try await withJob(.modify, "virDomainDefineXMLFlags") {
            let isNew = !self.isPersistent
            try await self.store(domain)
            self.publish()
            self.emit(.defined(isNew ? .added : .updated))
        }
        return handle
    }

    /// Changes the persistent definition: what a call that affects the configuration does.
    func changeConfig(_ change: (inout Domain) throws -> Void) async throws {
        guard var domain = config else {
            throw VirtError(.operationInvalid, .domain, "transient domains do not have any persistent config")
        }
        try change(&domain)
        try await store(domain)
        publish()
    }

    /// Makes a definition the persistent one and writes its file so that it survives a crash; the old one is intact
    /// when that fails.
    func store(_ domain: Domain) async throws {
        let text = try QEMUDriver.file(of: domain)
        try await write(domain.name, text)
        keep(domain, text: text)
    }

    private func write(_ name: String, _ text: [UInt8]) async throws {
        let store = driver.definitions
        try await BlockingPool.shared.run { try store.save(name, text) }
    }

    /// virDomainUndefineFlags: managed save 1, snapshots 2, nvram 4, keep nvram 8, checkpoints 16, TPM 32, keep
    /// TPM 64.
    func undefine(flags: UInt32) async throws {
        try flags.checkFlags(127, "qemuDomainUndefineFlags")
        guard flags & 12 != 12 else {
            throw VirtError(.operationInvalid, .qemu, "cannot both keep and delete nvram")
        }
        guard flags & 96 != 96 else {
            throw VirtError(.operationInvalid, .qemu, "cannot both keep and delete TPM")
        }
        try await withJob(.modify, "virDomainUndefineFlags") {
            let domain = try self.persistentForUndefine()
            if self.runtime == nil, !self.checkpoints.isEmpty, flags & 16 == 0 {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "cannot delete inactive domain with \(self.checkpoints.count) checkpoints")
            }
            try await self.dropSnapshots(undefining: flags)
            try await self.removeFiles(domain, flags)
            if self.runtime == nil {
                await self.dropCheckpointFiles()
                await self.dropTPM(of: domain, flags)
            }
            self.hasAutostart = false
            self.config = nil
            self.emit(.undefined(.removed))
            if self.runtime == nil {
                self.removeFromRegistry()
            } else {
                self.publish()
            }
        }
    }

    private func persistentForUndefine() throws -> Domain {
        guard let config else {
            throw VirtError(.operationInvalid, .qemu, "cannot undefine transient domain")
        }
        return config
    }

    private func removeFiles(_ domain: Domain, _ flags: UInt32) async throws {
        let store = driver.definitions
        let save = driver.paths.managedSave(name)
        let nvram = domain.os.nvram?.path
        let name = self.name
        try await BlockingPool.shared.run {
            if FileSystem.exists(save) {
                guard flags & 1 != 0 else {
                    throw VirtError(
                        .operationInvalid, .qemu, "Refusing to undefine while domain managed save image exists")
                }
                try FileSystem.remove(save)
            }
            if let nvram, FileSystem.exists(nvram), flags & 8 == 0 {
                guard flags & 4 != 0 else {
                    throw VirtError(.operationInvalid, .qemu, "cannot undefine domain with nvram")
                }
                try FileSystem.remove(nvram)
            }
            try store.remove(name)
        }
        hasManagedSave = false
    }

    /// virDomainSetAutostart.
    func setAutostart(_ isOn: Bool) async throws {
        guard isPersistent else {
            throw VirtError(.operationInvalid, .qemu, "cannot set autostart for transient domain")
        }
        guard hasAutostart != isOn else { return }
        try await withJob(.modify, "virDomainSetAutostart") {
            let store = self.driver.definitions
            let name = self.name
            try await BlockingPool.shared.run { try store.setAutostart(name, isOn) }
            self.hasAutostart = isOn
            self.publish()
        }
    }

    /// virDomainRename: of an inactive, persistent domain.
    func rename(_ newName: String?) async throws {
        guard let newName, !newName.isEmpty else {
            throw VirtError(.invalidArg, .qemu, "can't rename domain to an empty name")
        }
        try await withJob(.modify, "virDomainRename") {
            guard var domain = self.config else {
                throw VirtError(.operationInvalid, .qemu, "cannot rename a transient domain")
            }
            guard self.runtime == nil else {
                throw VirtError(.operationInvalid, .qemu, "cannot rename active domain")
            }
            guard newName != self.name else {
                throw VirtError(.operationInvalid, .domain, "Can't rename domain to itself")
            }
            guard self.checkpoints.isEmpty else {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "cannot rename domain with checkpoints")
            }
            let oldName = self.name
            domain.name = newName
            let text = try QEMUDriver.file(of: domain)
            try self.driver.registry.reserve(name: newName, for: self.uuid)
            do {
                try await self.move(domain.name, text, from: oldName)
            } catch {
                self.driver.registry.release(name: newName, of: self.uuid)
                throw error
            }
            self.emit(.undefined(.renamed))
            self.name = newName
            self.keep(domain, text: text)
            await self.moveSnapshots(from: oldName)
            self.publish()
            self.emit(.defined(.renamed))
        }
    }

    private func move(_ newName: String, _ text: [UInt8], from oldName: String) async throws {
        let store = driver.definitions
        let paths = driver.paths
        try await BlockingPool.shared.run {
            if FileSystem.exists(paths.managedSave(oldName)) {
                throw VirtError(.operationInvalid, .qemu, "domain with a managed saved state can't be renamed")
            }
            try store.rename(oldName, to: newName, text)
        }
    }

    /// virDomainManagedSaveRemove.
    func removeManagedSave() async throws {
        let path = driver.paths.managedSave(name)
        try await withJob(.modify, "virDomainManagedSaveRemove") {
            try await BlockingPool.shared.run {
                do throws(VirtError) {
                    guard try FileSystem.remove(path) else {
                        throw VirtError.system(2, .qemu, "Failed to remove managed save file '\(path)'")
                    }
                } catch {
                    throw error
                }
            }
            self.hasManagedSave = false
            self.publish()
        }
    }
}
