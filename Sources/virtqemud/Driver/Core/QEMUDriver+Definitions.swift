import Glibc
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtRPC
import VirtWire
import VirtXML

/// Definitions that come and go.
extension QEMUDriver {
    /// virDomainDefineXML: a new definition, or another one for a known domain.
    func define(_ xml: String, flags: UInt32) async throws -> RemoteNonnullDomain {
        let domain = try await readDefinition(xml, validating: flags & 1 != 0)
        switch try registry.match(name: domain.name, uuid: domain.identity) {
        case .existing(let actor):
            return try await actor.redefine(domain)
        case .new:
            let actor = DomainActor(domain, isPersistent: true, driver: self)
            return try await actor.define(domain)
        }
    }

    /// virDomainCreateXML: a guest without a persistent definition (or the one that is there, with another definition).
    func createTransient(_ xml: String, flags: UInt32, _ client: ClientHandle) async throws -> RemoteNonnullDomain {
        try flags.checkFlags(StartFlags.known, "qemuDomainCreateXML")
        let domain = try await readDefinition(xml, validating: flags & StartFlags.validate != 0)
        switch try registry.match(name: domain.name, uuid: domain.identity) {
        case .existing(let actor):
            return try await actor.createWith(domain, flags: flags, client)
        case .new:
            let actor = DomainActor(domain, isPersistent: false, driver: self)
            try registry.insert(actor, await actor.makeSnapshot())
            return try await actor.createWith(domain, flags: flags, client)
        }
    }

    /// The bytes of a definition's file.
    static func file(of domain: Domain) throws -> [UInt8] {
        let header = ObjectStore.header(command: "edit", name: domain.name, uuid: domain.uuid)
        return Array((header + (try domain.format([.inactive, .secure]))).utf8)
    }

    /// Reads all definitions at the daemon's start: on all cores, with each emulator looked at once.
    func loadDefinitions() async throws {
        let store = definitions
        let loaded = try await BlockingPool.shared.run { try store.load() }
        let parsed = await Self.onAllCores(loaded.objects) { object in
            Loaded(object: object, result: Result { try Domain.parse(object.bytes, flags: .inactive) })
        }
        var contexts: [String: DomainCompletionContext] = [:]
        for case .success(let domain) in parsed.map(\.result) {
            guard let path = try? emulator(of: domain) else { continue }
            if contexts[path] == nil { contexts[path] = try? await completionContext(for: domain) }
        }
        let known = contexts
        let complete = await Self.onAllCores(parsed) { entry in
            let result = Result {
                var domain = try entry.result.get()
                try domain.complete(self.context(for: domain, known), isNew: false)
                return domain
            }
            return Loaded(object: entry.object, result: result)
        }
        for entry in complete { await add(entry) }
    }

    /// A definition's file and what became of it.
    private struct Loaded: Sendable {
        let object: ObjectStore.Stored
        let result: Result<Domain, any Error>
    }

    private func context(
        for domain: Domain, _ known: [String: DomainCompletionContext]
    ) throws -> DomainCompletionContext {
        let path = try emulator(of: domain)
        guard let context = known[path] else {
            throw VirtError(.configUnsupported, .qemu, "Cannot find emulator '\(path)'")
        }
        return context
    }

    private static var cores: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Works on pieces of a list at the same time; the results are in the list's order.
    private static func onAllCores<Input: Sendable, Output: Sendable>(
        _ list: [Input], _ work: @escaping @Sendable (Input) -> Output
    ) async -> [Output] {
        let size = max(16, (list.count + cores - 1) / cores)
        return await withTaskGroup(of: (Int, [Output]).self) { group in
            for start in stride(from: 0, to: list.count, by: size) {
                let piece = list[start..<min(start + size, list.count)]
                group.addTask {
                    let done = try? await BlockingPool.shared.run { piece.map(work) }
                    return (start, done ?? [])
                }
            }
            var pieces: [(Int, [Output])] = []
            for await piece in group { pieces.append(piece) }
            return pieces.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }

    private func add(_ entry: Loaded) async {
        let name = entry.object.name
        do {
            let domain = try entry.result.get()
            guard domain.name == name else {
                throw VirtError(
                    .internalError, .domain,
                    "Domain config filename '\(name)' does not match domain name '\(domain.name)'")
            }
            let hasSave = FileSystem.exists(paths.managedSave(name))
            switch try registry.match(name: name, uuid: domain.identity) {
            case .existing(let actor):
                await actor.adopt(config: domain, autostart: entry.object.isAutostart, managedSave: hasSave)
            case .new:
                let actor = DomainActor(domain, isPersistent: true, driver: self)
                await actor.adopt(config: domain, autostart: entry.object.isAutostart, managedSave: hasSave)
                try registry.insert(actor, await actor.makeSnapshot())
            }
        } catch {
            Self.log.error("cannot load definition '\(name)': \(error)")
        }
    }
}
