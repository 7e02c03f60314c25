import Synchronization
import VirtCore
import VirtModel
import VirtOS
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

    /// What a model is made of: a text, completed as a file of that text would be at the daemon's start.
    struct Source: Sendable {
        let text: [UInt8]
        let context: DomainCompletionContext

        /// Larger texts take too long to read on an event loop: their models stay.
        private static let largest = 65536

        var isSmall: Bool { text.count <= Self.largest }

        func model() throws -> Domain {
            var domain = try Domain.parse(text, flags: .inactive)
            try domain.complete(context, isNew: false)
            return domain
        }
    }

    /// A new definition, with the text that it is printed as; without a source the model stays for good.
    init(_ domain: Domain, print source: Source?, recent: RecentDefinitions) {
        summary = DefinitionSummary(domain)
        self.source = source
        self.recent = recent
        state = Mutex(State(model: SharedDomain(domain), isMakable: false))
        if source != nil { recent.add(self) }
    }

    /// A definition that was on disk, and was read and completed from this source.
    init(read domain: Domain, from source: Source, recent: RecentDefinitions) {
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

    /// Whether the print gives the very model. A model whose print does not say all, or in another order, stays.
    private func isPrinted(_ model: Domain) -> Bool {
        guard let source, source.isSmall else { return false }
        return (try? source.model()) == model
    }

    private static let log = Logger("qemu.definition")
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
        guard let oldest, oldest !== definition else { return }
        // Its text is read again for that, which the call that took its place need not wait for.
        if let loop = EventLoop.current { loop.execute { oldest.forgetModel() } } else { oldest.forgetModel() }
    }
}
