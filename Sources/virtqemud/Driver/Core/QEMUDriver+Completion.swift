import QEMUCommand
import Synchronization
import VirtCore
import VirtModel
import VirtOS
import VirtXML

/// Definitions as clients send them, made whole for this host.
extension QEMUDriver {
    /// Documents up to this size are read on the loop; larger ones elsewhere.
    private static let smallDocument = 65536

    /// Reads a definition and fills in what it leaves open. Its name, UUID, devices and addresses are then settled.
    func readDefinition(_ xml: String, validating: Bool = false) async throws -> Domain {
        if validating { try await SchemaValidation.check(xml, schema: "domain") }
        guard xml.utf8.count > Self.smallDocument else { return try await read(xml) }
        // No loop is held up by what is large.
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { try await read(xml) }
    }

    private func read(_ xml: String) async throws -> Domain {
        var domain = try Domain.parse(xml)
        let context = try await completionContext(for: domain)
        try domain.complete(context, isNew: true)
        try domain.validate(context)
        return domain
    }

    /// Fills in what a definition leaves open.
    func complete(_ domain: inout Domain, isNew: Bool = true) async throws {
        let context = try await completionContext(for: domain)
        try domain.complete(context, isNew: isNew)
    }

    /// Fills in what is missing after a device was put in or changed, and checks what is new.
    func complete(_ domain: inout Domain, after before: Domain) async throws {
        let context = try await completionContext(for: domain)
        try domain.complete(context, isNew: false)
        try before.validate(domain.devices.added(to: before.devices), context)
    }

    /// What the guest's emulator can do.
    func facts(for domain: Domain) async throws -> QEMUCapabilities {
        try await capabilities.facts(of: try emulator(of: domain))
    }

    func emulator(of domain: Domain) throws(VirtError) -> String {
        if let path = domain.devices.emulator { return path }
        return try Emulators.standard(arch: domain.os.arch ?? Emulators.hostArch)
    }

    func completionContext(for domain: Domain) async throws -> DomainCompletionContext {
        let path = try emulator(of: domain)
        if domain.devices.emulator == nil, !FileSystem.exists(path) {
            throw VirtError(.configUnsupported, .qemu, "No emulator found for arch '\(domain.os.arch ?? "")'")
        }
        var context = try await completionContext(emulator: path)
        // Looked for only where it is asked for: it takes a search through PATH.
        if !domain.devices.tpms.isEmpty { context.tpmVersions = try await SoftwareTPM.find().forDefinitions }
        return context
    }

    /// What definitions are completed for, without what they are validated for besides.
    func completionContext(emulator path: String) async throws -> DomainCompletionContext {
        completions.context(path, try await capabilities.facts(of: path), paths)
    }

    static func makeCapabilities(
        _ paths: DriverPaths, _ configuration: DriverConfiguration, _ loops: EventLoopGroup
    ) -> QEMUCapabilitiesCache {
        let user =
            paths.isSession
            ? nil : ChildProcess.User(uid: configuration.uid, gid: configuration.gid, groups: configuration.groups)
        return QEMUCapabilitiesCache(directory: paths.cache, user: user, loop: loops.next())
    }
}

/// The emulators of this host.
enum Emulators {
    static var hostArch: String {
        #if arch(arm64)
            "aarch64"
        #else
            "x86_64"
        #endif
    }

    /// The emulator of guests that name none.
    static func standard(arch: String) throws(VirtError) -> String {
        guard let path = QEMUCapabilitiesCache.emulator(for: arch, host: hostArch) else {
            throw VirtError(.configUnsupported, .domain, "No emulator found for arch '\(arch)'")
        }
        return path
    }
}

/// Contexts for completing definitions, made once per set of facts: a thousand definitions use one.
final class CompletionContexts: Sendable {
    private struct Entry {
        let origin: QEMUCapabilities.Origin
        let context: DomainCompletionContext
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// The context that was made last for an emulator.
    func known(_ path: String) -> DomainCompletionContext? { entries.withLock { $0[path]?.context } }

    func context(_ path: String, _ facts: QEMUCapabilities, _ paths: DriverPaths) -> DomainCompletionContext {
        if let known = entries.withLock({ $0[path] }), known.origin == facts.origin { return known.context }
        var context = DomainCompletionContext(hostArch: Emulators.hostArch, emulators: [.init(path, facts)])
        context.nvramDirectory = paths.nvram
        context.channelTargetDirectory = paths.library + "/channel"
        entries.withLock { $0[path] = Entry(origin: facts.origin, context: context) }
        return context
    }
}

/// VIR_DOMAIN_DEFINE_VALIDATE: documents against the RELAX NG schemas that come with libvirt's client library.
enum SchemaValidation {
    /// The schema has the name of the document's root.
    static func check(_ xml: String, schema: String) async throws {
        try await BlockingPool.shared.run {
            try XMLSchema.check(xml, schema, root: schema, name: "domain_definition", domain: .domain)
        }
    }
}
