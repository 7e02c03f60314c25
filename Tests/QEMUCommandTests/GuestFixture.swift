import Glibc
import QEMUCommand
import Testing
import VirtCore
import VirtModel
import VirtXML

/// A definition and what C libvirt 9.0.0 makes of it: `Fixtures/guests/NAME.txt`.
struct GuestFixture: CustomStringConvertible, Sendable {
    let name: String
    let input: String
    /// `xml`, `argv`, `error`, `argv error`.
    let sections: [String: String]

    var description: String { name }

    static let all: [GuestFixture] = names.sorted().map(GuestFixture.init)

    private static var names: [String] {
        guard let directory = opendir(Fixture.directory + "guests") else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".txt") { names.append(String(name.dropLast(4))) }
        }
        return names
    }

    private init(_ name: String) {
        self.name = name
        let text = (try? Fixture.text("guests/\(name).txt")) ?? ""
        var parts: [(name: String, lines: [Substring])] = [("input", [])]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("=== ") {
                parts.append((String(line.dropFirst(4)), []))
            } else {
                parts[parts.count - 1].lines.append(line)
            }
        }
        let texts = parts.map { ($0.name, $0.lines.joined(separator: "\n")) }
        input = texts[0].1
        sections = Dictionary(texts.dropFirst(), uniquingKeysWith: { first, _ in first })
    }

    /// libvirt's code of the error that the section tells of.
    func code(_ section: String) -> Int32? {
        sections[section]?.split(separator: "\n").first.flatMap { Int32($0) }
    }

    // MARK: The way through the library

    static let facts = Result { try Fixture.capabilities() }

    static func context() throws -> DomainCompletionContext {
        let facts = try facts.get()
        return DomainCompletionContext(
            hostArch: "x86_64", emulators: [.init("/usr/bin/qemu-system-x86_64", facts)])
    }

    static func define(_ text: String, _ context: DomainCompletionContext) throws -> Domain {
        var domain = try Domain.parse(text)
        try domain.complete(context)
        try domain.validate(context)
        return domain
    }

    static func commandLine(_ domain: Domain, _ context: DomainCompletionContext) throws -> QEMUCommandLine {
        var domain = domain
        domain.prepareForNative()
        try domain.reassignAddresses(context)
        domain.assignAliases()
        domain.assignNodeIndexes()
        var environment = CommandEnvironment.native(name: domain.name)
        environment.dbusSocket = "/run/libvirt/qemu/dbus/-1-\(domain.name)-dbus.sock"
        environment.renderNode = "/dev/dri/renderD128"
        return try QEMUCommand.build(domain, facts.get(), environment)
    }
}
