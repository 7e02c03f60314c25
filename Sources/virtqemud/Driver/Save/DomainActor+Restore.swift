import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtXML

/// What a guest goes on from instead of booting.
struct SavedState: Sendable {
    /// At the start of QEMU's stream.
    let descriptor: DescriptorBox
    /// The processor as the user defined it.
    let originalCPU: CPU?
}

/// Starting a guest from the file that it was saved in.
extension DomainActor {
    /// Starts a defined domain from its managed save image. The image goes when the guest runs.
    ///
    /// - Returns: false when the image is of no use and the guest is to boot.
    func startFromManagedSave(flags: UInt32, _ client: ClientHandle?) async throws -> Bool {
        let path = driver.paths.managedSave(name)
        let opened: SavedImage.Opened
        do {
            opened = try await BlockingPool.shared.run { try SavedImage.open(path) }
        } catch let error as VirtError where error.message.contains("save image is incomplete") {
            Self.log.warning("Ignoring incomplete managed state \(path)")
            return false
        }
        let (saved, state) = try await driver.readSaved(opened)
        guard saved.identity == uuid else {
            throw VirtError(
                .operationFailed, .qemu,
                "definition file '\(path)' contains UUID '\(saved.identity)' of another domain")
        }
        // Of a start's flags, one says how the guest is to go on; another one that it ends with its client.
        let start = opened.startFlags(flags & StartFlags.paused) | flags & StartFlags.autodestroy
        try await startGuest(saved, flags: start, client, saved: state)
        _ = try? await BlockingPool.shared.run { try FileSystem.remove(path) }
        hasManagedSave = false
        publish()
        return true
    }

    /// virDomainRestoreFlags, for a domain that is known under the image's name and UUID.
    func restore(_ definition: Domain, _ saved: SavedState, flags: UInt32, _ client: ClientHandle) async throws {
        do {
            try await withJob(.start, "virDomainRestoreFlags", client: client.id) {
                guard self.runtime == nil else {
                    throw VirtError(.operationInvalid, .domain, "domain '\(self.name)' is already active")
                }
                try await self.startGuest(definition, flags: flags, client, saved: saved)
            }
        } catch {
            if !isPersistent, runtime == nil {
                await dropTPM(of: definition)
                removeFromRegistry()
            }
            throw error
        }
    }

    /// QEMU reads its state from the file; its processors stand still.
    func loadState(_ number: Int32) async throws {
        try await command("migrate-incoming", ["uri": .string("fd:\(number)")])
        let loop = self.loop
        while true {
            let answer = try await command("query-migrate")
            switch answer["status"]?.string {
            case "completed"?: break
            case "failed"?, "cancelled"?:
                let text = answer["error-desc"]?.string.map { ": \($0)" } ?? ""
                throw VirtError(.operationFailed, .qemu, "job 'restore' failed\(text)")
            default:
                try await loop.sleep(for: .milliseconds(20))
                continue
            }
            break
        }
        state = .paused(.migration)
    }
}

extension SavedImage.Opened {
    /// How the guest is to be started: as it was, unless the caller says otherwise (running 2, paused 4; a start: 1).
    func startFlags(_ flags: UInt32) -> UInt32 {
        let isPaused = flags & 5 != 0 || (flags & 2 == 0 && !image.wasRunning)
        return isPaused ? StartFlags.paused : 0
    }
}

extension QEMUDriver {
    /// The guest of an image, with the processor that it really had.
    func readSaved(_ opened: SavedImage.Opened) async throws -> (Domain, SavedState) {
        var domain = try await readDefinition(opened.image.xml)
        let state = SavedState(descriptor: opened.descriptor, originalCPU: domain.cpu)
        if let cookie = opened.image.cookie {
            let document = try XMLDocument.parse(cookie, name: "cookie", domain: .qemu)
            if let cpu = document.root?.child("cpu") { domain.cpu = try ElementReader.read(cpu, flags: .inactive) }
        }
        return (domain, state)
    }

    /// virDomainRestoreFlags.
    func restore(_ path: String, document: String?, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(15, "qemuDomainRestoreFlags")
        guard flags & 6 != 6 else {
            throw VirtError(.invalidArg, .qemu, "running and paused flags are mutually exclusive")
        }
        var opened = try await BlockingPool.shared.run { try SavedImage.open(path) }
        if let document { opened.image.xml = document }
        let (domain, state) = try await readSaved(opened)
        let actor: DomainActor
        switch try registry.match(name: domain.name, uuid: domain.identity) {
        case .existing(let known): actor = known
        case .new:
            actor = DomainActor(domain, isPersistent: false, driver: self)
            try registry.insert(actor, await actor.makeSnapshot())
        }
        try await actor.restore(domain, state, flags: opened.startFlags(flags), client)
    }

    /// virDomainSaveImageGetXMLDesc.
    func savedDocument(_ path: String, flags: UInt32) async throws -> String {
        try flags.checkFlags(1, "qemuDomainSaveImageGetXMLDesc")
        let xml = try await BlockingPool.shared.run { try SavedImage.open(path).image.xml }
        return try await readDefinition(xml).format(flags & 1 != 0 ? [.inactive, .secure] : .inactive)
    }

    /// virDomainSaveImageDefineXML: another document for the image; running 2, paused 4.
    func changeSaved(_ path: String, document: String, flags: UInt32) async throws {
        try flags.checkFlags(6, "qemuDomainSaveImageDefineXML")
        let domain = try await readDefinition(document)
        let xml = try domain.format([.migratable, .secure, .inactive])
        try await BlockingPool.shared.run {
            var opened = try SavedImage.open(path, writable: true)
            let old = try Domain.parse(opened.image.xml, flags: .inactive)
            guard old.uuid == domain.uuid, old.name == domain.name else {
                throw VirtError(.configUnsupported, .domain, "Target domain name or uuid does not match source")
            }
            opened.image.xml = xml
            if flags & 6 != 0 { opened.image.wasRunning = flags & 2 != 0 }
            try opened.image.complete(opened.descriptor, path)
        }
    }
}
