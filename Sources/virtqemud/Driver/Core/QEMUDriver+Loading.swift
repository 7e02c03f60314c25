import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtXML

/// A definition that lay on disk, read and completed.
struct LoadedDefinition: Sendable {
    let name: String
    let uuid: UUID
    let definition: PersistentDefinition
    let isAutostart: Bool
    let hasManagedSave: Bool
}

extension QEMUDriver {
    /// Reads all definitions at the daemon's start: on all cores, with each emulator looked at once. What cannot be read
    /// is logged and left where it is.
    func loadDefinitions() async throws {
        let store = definitions
        var names = try await BlockingPool.shared.run { try store.names() }
        var contexts = await firstContext(of: names)
        while !names.isEmpty {
            let known = contexts
            let results = try await BlockingPool.shared.mapPieces(names, size: 16) { names in
                names.map { self.load($0, known) }
            }
            let missing = await add(results)
            names = missing.map(\.name)
            contexts = [:]
            for path in Set(missing.map(\.emulator)) { contexts[path] = await context(of: path) }
        }
    }

    /// What became of a definition's file.
    private enum Loading: Sendable {
        case loaded(LoadedDefinition)
        case failed(name: String, any Error)
        /// The emulator must be looked at first.
        case waiting(Waiting)
        /// The file is none, or has gone.
        case nothing
    }

    private struct Waiting: Sendable {
        let name: String
        let emulator: String
    }

    /// An emulator, or why it cannot be looked at.
    private typealias Emulator = Result<DomainCompletionContext, any Error>

    /// Most definitions of a host have the same emulator: the one of the first tells it.
    private func firstContext(of names: [String]) async -> [String: Emulator] {
        guard let first = names.first else { return [:] }
        let store = definitions
        let domain = try? await BlockingPool.shared.run {
            try store.load(first).map { try Domain.parse($0.bytes, flags: .inactive) }
        }
        guard let domain, let path = try? emulator(of: domain) else { return [:] }
        return [path: await context(of: path)]
    }

    private func context(of path: String) async -> Emulator {
        do {
            return .success(try await completionContext(emulator: path))
        } catch {
            return .failure(VirtError(.configUnsupported, .qemu, "Cannot find emulator '\(path)'"))
        }
    }

    /// Reads one definition. Blocks.
    private func load(_ name: String, _ contexts: [String: Emulator]) -> Loading {
        do {
            guard let file = try definitions.load(name) else { return .nothing }
            var domain = try Domain.parse(file.bytes, flags: .inactive)
            let path = try emulator(of: domain)
            guard let context = try contexts[path]?.get() else {
                return .waiting(Waiting(name: name, emulator: path))
            }
            let isSettled = domain.isSettled
            try domain.complete(context, isNew: false)
            guard domain.name == name else {
                throw VirtError(
                    .internalError, .domain,
                    "Domain config filename '\(name)' does not match domain name '\(domain.name)'")
            }
            // What was made up now must be the same whenever the text is read again.
            let text = isSettled ? file.bytes : try Self.file(of: domain)
            let source = PersistentDefinition.Source(text: text, context: context)
            let definition = PersistentDefinition(read: domain, from: source, recent: recentDefinitions)
            return .loaded(
                LoadedDefinition(
                    name: name, uuid: domain.identity, definition: definition, isAutostart: file.isAutostart,
                    hasManagedSave: FileSystem.exists(paths.managedSave(name))))
        } catch {
            return .failed(name: name, error)
        }
    }

    /// Makes what was read known; returns what waits for an emulator.
    private func add(_ results: [Loading]) async -> [Waiting] {
        var missing: [Waiting] = []
        for result in results {
            switch result {
            case .nothing: break
            case .waiting(let waiting): missing.append(waiting)
            case .failed(let name, let error): Self.log.error("cannot load definition '\(name)': \(error)")
            case .loaded(let loaded):
                do {
                    try await add(loaded)
                } catch {
                    Self.log.error("cannot load definition '\(loaded.name)': \(error)")
                }
            }
        }
        return missing
    }

    private func add(_ loaded: LoadedDefinition) async throws {
        switch try registry.match(name: loaded.name, uuid: loaded.uuid) {
        case .existing(let actor): await actor.adopt(loaded)
        case .new:
            try registry.insert(DomainActor(loaded, driver: self), DomainSnapshot(loaded))
        }
    }
}

extension DomainSnapshot {
    /// A domain of which nothing runs.
    convenience init(_ loaded: LoadedDefinition) {
        self.init(
            uuid: loaded.uuid, name: loaded.name, state: .shutoff(.unknown), hasAutostart: loaded.isAutostart,
            hasManagedSave: loaded.hasManagedSave, live: nil, config: loaded.definition,
            runtime: nil, job: nil)
    }
}

extension Domain {
    /// Whether completing it makes nothing up that would be different the next time.
    fileprivate var isSettled: Bool {
        uuid != nil && (genid == nil || genid?.id != nil) && devices.interfaces.allSatisfy { $0.mac != nil }
    }
}
