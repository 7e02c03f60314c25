import VirtCore
import VirtOS

/// The host's nftables, in tables of libvirt's own.
actor NftablesFirewall: FirewallBackend {
    private var isSetUp = false

    init() {}

    func forgetChains() { isSetUp = false }

    func add(_ rules: [FirewallRule]) async throws {
        guard rules.allSatisfy({ $0.isRestorable }) else {
            throw VirtError(.internalError, .firewall, "an interface has a name that firewall rules cannot hold")
        }
        if !isSetUp {
            try await run(FirewallRule.Layer.allCases.map { NftablesRules.setUp($0) }.joined())
            isSetUp = true
        }
        let lines = rules.compactMap { NftablesRules.insertion($0, comment: NftablesRules.comment($0)) }
        // All or none: nft applies a file as one transaction.
        do {
            try await run(lines.joined())
        } catch {
            // The tables may be gone: somebody loaded a ruleset of his own.
            try await run(FirewallRule.Layer.allCases.map { NftablesRules.setUp($0) }.joined())
            try await run(lines.joined())
        }
    }

    func remove(_ rules: [FirewallRule]) async {
        for layer in FirewallRule.Layer.allCases {
            let comments = Set(rules.filter { $0.layer == layer }.map { NftablesRules.comment($0) })
            guard !comments.isEmpty else { continue }
            let arguments = ["-a", "list", "table", NftablesRules.family(layer), NftablesRules.table]
            guard let output = try? await ChildProcess.run("nft", arguments), output.status.isSuccess else { continue }
            let listing = String(decoding: output.stdout, as: UTF8.self)
            try? await run(NftablesRules.deletions(layer, listing: listing, comments: comments))
        }
    }

    private func run(_ text: String) async throws {
        guard !text.isEmpty else { return }
        let output = try await ChildProcess.run("nft", ["-f", "-"], input: Array(text.utf8))
        guard output.status.isSuccess else {
            throw VirtError(
                .internalError, .firewall,
                "Failed to apply firewall rules: \(String(decoding: output.stderr, as: UTF8.self))")
        }
    }
}
