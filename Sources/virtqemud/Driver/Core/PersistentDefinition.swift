import Synchronization
import VirtCore
import VirtModel
import VirtXML

/// A persistent definition as it is kept: as text, together with what lists, statistics and information calls ask for.
/// A model takes twenty kilobytes and more, its text a few; so the model is made from the text when somebody asks for
/// it, and stays as long as it is among those that were asked for last.
final class PersistentDefinition: Sendable {
    let summary: DefinitionSummary
    private let source: Source?
    private let recent: RecentDefinitions
    private let state: Mutex<State>

    private struct State {
        var model: SharedDomain?
        /// The model that the text gives is the one that was defined.
        var isMakable: Bool
    }

    /// What a model is made of.
    enum Source: Sendable {
        /// A file as it lay on disk: read and completed each time as it was at the daemon's start.
        case file([UInt8], DomainCompletionContext)
        /// The print of a complete model.
        case print([UInt8])

        /// Larger texts take too long to read on an event loop: their models stay.
        private static let largest = 65536

        var isSmall: Bool { size <= Self.largest }

        private var size: Int {
            switch self {
            case .file(let text, _), .print(let text): text.count
            }
        }

        func model() throws -> Domain {
            switch self {
            case .file(let text, let context):
                var domain = try Domain.parse(text, flags: .inactive)
                try domain.complete(context, isNew: false)
                return domain
            case .print(let text): return try Domain.parse(text, flags: .inactive)
            }
        }
    }

    /// A new definition, with its print; without one the model stays for good.
    init(_ domain: Domain, print: [UInt8]?, recent: RecentDefinitions) {
        summary = DefinitionSummary(domain)
        source = print.map { .print($0) }
        self.recent = recent
        state = Mutex(State(model: SharedDomain(domain), isMakable: false))
        if source != nil { recent.add(self) }
    }

    /// A definition that was on disk.
    init(read domain: Domain, file: [UInt8], context: DomainCompletionContext, recent: RecentDefinitions) {
        let source = Source.file(file, context)
        summary = DefinitionSummary(domain)
        self.source = source
        self.recent = recent
        state = Mutex(State(model: source.isSmall ? nil : SharedDomain(domain), isMakable: source.isSmall))
    }

    /// The model; nil when the text cannot be read any more, which is logged.
    var model: Domain? {
        if let model = state.withLock({ $0.model }) { return model.value }
        do {
            guard let model = try source.map({ SharedDomain(try $0.model()) }) else { return nil }
            state.withLock { $0.model = model }
            recent.add(self)
            return model.value
        } catch {
            Self.log.error("the definition of '\(summary.name)' cannot be read again: \(error)")
            return nil
        }
    }

    /// Gives the model up, if it can be made again.
    fileprivate func forgetModel() {
        let (model, isMakable) = state.withLock { ($0.model, $0.isMakable) }
        guard let model, isMakable || isPrinted(model.value) else { return }
        state.withLock { $0 = State(model: nil, isMakable: true) }
    }

    /// Whether reading the print gives the very model. A model whose print does not say all stays.
    private func isPrinted(_ model: Domain) -> Bool {
        guard let source, source.isSmall else { return false }
        return (try? source.model()) == model
    }

    private static let log = Logger("qemu.definition")
}

/// What lists, statistics and information calls say of a definition.
struct DefinitionSummary: Sendable, Equatable {
    let name: String
    let osType: String
    /// In KiB.
    let maximumMemory: UInt64
    let currentMemory: UInt64
    let maximumVCPUs: UInt32
    let onlineVCPUs: UInt32
    let disks: [Disk]

    struct Disk: Sendable, Equatable {
        let target: String
        let path: String?
        /// Where the content is in the file system, for disks that are.
        let image: Image?
    }

    /// Where a disk's content is in the file system.
    struct Image: Sendable, Equatable {
        let path: String
        let format: String?
    }

    init(_ domain: Domain) {
        name = domain.name
        osType = domain.os.type ?? "hvm"
        maximumMemory = domain.maximumMemoryKibibytes
        currentMemory = domain.currentMemoryKibibytes
        maximumVCPUs = domain.vcpu.maximum
        onlineVCPUs = domain.onlineVCPUs
        disks = domain.devices.disks.map { disk in
            let image = disk.source.localPath.map { Image(path: $0, format: disk.driver?.type) }
            return Disk(target: disk.target.dev ?? "", path: disk.source.path, image: image)
        }
    }
}

/// The definitions whose models are in memory: the last ones that were asked for.
final class RecentDefinitions: Sendable {
    private struct Entry {
        weak var definition: PersistentDefinition?
    }

    private struct State {
        var ring: [Entry]
        var next = 0
    }

    private let state: Mutex<State>

    init(limit: Int = 128) { state = Mutex(State(ring: Array(repeating: Entry(), count: max(1, limit)))) }

    fileprivate func add(_ definition: PersistentDefinition) {
        let oldest = state.withLock { state in
            let oldest = state.ring[state.next].definition
            state.ring[state.next] = Entry(definition: definition)
            state.next = (state.next + 1) % state.ring.count
            return oldest
        }
        if let oldest, oldest !== definition { oldest.forgetModel() }
    }
}
