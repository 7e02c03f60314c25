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
        if validating { try await SchemaValidation.check(xml, schema: "domain.rng") }
        var domain = try await parse(xml)
        let context = try await completionContext(for: domain)
        try domain.complete(context, isNew: true)
        try domain.validate(context)
        return domain
    }

    private func parse(_ xml: String) async throws -> Domain {
        guard xml.utf8.count > Self.smallDocument else { return try Domain.parse(xml) }
        return try await BlockingPool.shared.run { try Domain.parse(xml) }
    }

    /// Fills in what a definition leaves open.
    func complete(_ domain: inout Domain, isNew: Bool = true) async throws {
        let context = try await completionContext(for: domain)
        try domain.complete(context, isNew: isNew)
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
        try await completionContext(emulator: emulator(of: domain))
    }

    func completionContext(emulator path: String) async throws -> DomainCompletionContext {
        let facts = try await capabilities.facts(of: path)
        return completions.context(path, facts, paths)
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
        var context = DomainCompletionContext(hostArch: Emulators.hostArch, emulators: [Self.emulator(path, facts)])
        context.nvramDirectory = paths.nvram
        context.channelTargetDirectory = paths.library + "/channel"
        entries.withLock { $0[path] = Entry(origin: facts.origin, context: context) }
        return context
    }

    private static func emulator(_ path: String, _ facts: QEMUCapabilities) -> DomainCompletionContext.Emulator {
        var types: Set<Domain.Kind> = []
        if facts.has(.kvm) { types.insert(.kvm) }
        if facts.has(.tcg) { types.insert(.qemu) }
        let machines = (facts.tcg.machines.isEmpty ? facts.kvm.machines : facts.tcg.machines).map { machine in
            var defaults: [Domain.Kind: String] = [:]
            if let type = machine.defaultCPU { defaults[.qemu] = model(type, facts.tcg) }
            if let type = facts.kvm.machines.first(where: { $0.name == machine.name })?.defaultCPU {
                defaults[.kvm] = model(type, facts.kvm)
            }
            return DomainCompletionContext.Machine(
                name: machine.name, alias: machine.alias, isDefault: machine.isDefault, defaultCPU: defaults,
                maximumCPUs: machine.maximumCPUs)
        }
        return DomainCompletionContext.Emulator(
            path: path, arch: facts.architecture, virtTypes: types, machines: machines,
            flags: Set(facts.flags.map(\.rawValue)))
    }

    /// QEMU writes the processors of pSeries in lower case, libvirt's processor map in upper case.
    private static func libvirtName(_ name: String) -> String {
        let mapped = ["POWER6", "POWER7", "POWER8", "POWER9", "POWER10"]
        return mapped.contains(name.uppercased()) ? name.uppercased() : name
    }

    /// libvirt's name of a processor type: the models' list knows it.
    private static func model(_ type: String, _ accelerator: QEMUCapabilities.Accelerator) -> String {
        if let known = accelerator.cpus.first(where: { $0.typeName == type }) { return libvirtName(known.name) }
        for suffix in ["-x86_64-cpu", "-i386-cpu", "-arm-cpu", "-s390x-cpu", "-riscv64-cpu"]
        where type.hasSuffix(suffix) {
            return String(type.dropLast(suffix.count))
        }
        return type
    }
}

/// VIR_DOMAIN_DEFINE_VALIDATE: documents against libvirt's RELAX NG schemas, by xmllint where it is installed.
enum SchemaValidation {
    static let directory = "/usr/share/libvirt/schemas"

    static func check(_ xml: String, schema: String) async throws {
        let path = "\(directory)/\(schema)"
        guard ChildProcess.find("xmllint") != nil, FileSystem.exists(path) else { return }
        let output = try await ChildProcess.run(
            "xmllint", ["--noout", "--nonet", "--relaxng", path, "-"], input: Array(xml.utf8), timeout: .seconds(20))
        guard !output.status.isSuccess else { return }
        let lines = String(decoding: output.stderr, as: UTF8.self).split(separator: "\n").compactMap {
            line -> String? in
            guard let range = line.firstRange(of: "validity error : ") else { return nil }
            return String(line[range.upperBound...])
        }
        let text = lines.joined(separator: "\n")
        throw VirtError(.xmlInvalidSchema, .xml, "Unable to validate doc against \(path)\n\(text)\n")
    }
}
