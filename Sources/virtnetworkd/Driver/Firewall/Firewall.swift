import VirtCore
import VirtOS

/// The host's iptables and ip6tables. Requests are served one after the other: a ruleset has one writer at a time.
actor Firewall {
    private let log = Logger("network.firewall")
    /// The layers whose chains were seen or made; an error is kept and reported to networks that need the layer.
    private var chains: [FirewallRule.Layer: Result<Void, any Error>] = [:]
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init() {}

    func forgetChains() { chains = [:] }

    func add(_ rules: [FirewallRule]) async throws {
        await enter()
        defer { leave() }
        let known = Set(chains.keys)
        await setUpChains()
        for layer in FirewallRule.Layer.allCases {
            let own = rules.filter { $0.layer == layer }
            guard !own.isEmpty else { continue }
            do {
                try chains[layer]?.get()
                try await insert(own, layer)
            } catch {
                // Chains that were there once may be gone: somebody loaded a ruleset of his own.
                guard known.contains(layer) else { throw error }
                chains[layer] = nil
                await setUpChains()
                try chains[layer]?.get()
                try await insert(own, layer)
            }
        }
    }

    func remove(_ rules: [FirewallRule]) async {
        await enter()
        defer { leave() }
        for layer in FirewallRule.Layer.allCases {
            let own = Array(rules.filter { $0.layer == layer }.reversed())
            guard !own.isEmpty, await !restore(own, layer, .delete) else { continue }
            // One that is missing makes the whole of it fail: one by one then, what is there goes.
            for rule in own { _ = try? await run(layer, rule.commandLine(.delete)) }
        }
    }

    private func enter() async {
        if !isBusy {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }

    private func insert(_ rules: [FirewallRule], _ layer: FirewallRule.Layer) async throws {
        if await restore(rules, layer, .insert) { return }
        var done: [FirewallRule] = []
        for rule in rules {
            do {
                try await run(layer, rule.commandLine(.insert))
                done.append(rule)
            } catch {
                if rule.isOptional {
                    log.warning("optional firewall rule was refused: \(error)")
                    continue
                }
                for rule in done.reversed() { _ = try? await run(layer, rule.commandLine(.delete)) }
                throw error
            }
        }
    }

    /// All rules in one go: one process, and one change of the kernel's tables.
    private func restore(
        _ rules: [FirewallRule], _ layer: FirewallRule.Layer, _ action: FirewallRule.Action
    ) async -> Bool {
        guard rules.allSatisfy({ $0.isRestorable }) else { return false }
        var input = ""
        for table in FirewallRule.Table.allCases {
            let lines = rules.filter { $0.table == table }.map { $0.restoreLine(action) }
            guard !lines.isEmpty else { continue }
            input += "*\(table.rawValue)\n\(lines.joined(separator: "\n"))\nCOMMIT\n"
        }
        let output = try? await ChildProcess.run(
            "\(layer.rawValue)-restore", ["-w", "--noflush"], input: Array(input.utf8))
        return output?.status.isSuccess == true
    }

    private func run(_ layer: FirewallRule.Layer, _ arguments: [String]) async throws {
        try await Self.run(layer.rawValue, arguments)
    }

    @discardableResult
    private static func run(_ name: String, _ arguments: [String], input: String? = nil) async throws -> String {
        let program = ChildProcess.find(name) ?? "/usr/sbin/\(name)"
        let output = try await ChildProcess.run(program, arguments, input: input.map { Array($0.utf8) })
        guard output.status.isSuccess else {
            let command = ([program] + arguments).joined(separator: " ")
            throw VirtError(
                .internalError, .firewall,
                "Failed to apply firewall rules \(command): \(String(decoding: output.stderr, as: UTF8.self))")
        }
        return String(decoding: output.stdout, as: UTF8.self)
    }

    /// Makes the chains of both layers, once in the daemon's life.
    private func setUpChains() async {
        for layer in FirewallRule.Layer.allCases where chains[layer] == nil {
            do {
                let saved = try await Self.run("\(layer.rawValue)-save", [])
                if let input = FirewallChains.missing(saved: saved) {
                    try await Self.run("\(layer.rawValue)-restore", ["-w", "--noflush"], input: input)
                }
                chains[layer] = .success(())
            } catch {
                log.debug("Failed to create global \(layer.rawValue) chains: \(error)")
                chains[layer] = .failure(error)
            }
        }
    }
}
