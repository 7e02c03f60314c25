package import VirtCore
package import VirtModel

/// A QEMU process, ready to be started.
package struct QEMUCommandLine: Sendable, Equatable {
    /// `NAME=VALUE`.
    package var environment: [String]
    package var binary: String
    package var arguments: [String]

    package init(environment: [String], binary: String, arguments: [String]) {
        self.environment = environment
        self.binary = binary
        self.arguments = arguments
    }

    /// The line that `virsh domxml-to-native` shows.
    package var text: String {
        let variables = environment.map { variable -> String in
            guard let equals = variable.firstIndex(of: "=") else { return Self.quoted(variable) }
            return variable[...equals] + Self.quoted(String(variable[variable.index(after: equals)...]))
        }
        return (variables + ([binary] + arguments).map(Self.quoted)).joined(separator: " ")
    }

    /// A word as a shell takes it, quoted as libvirt does.
    private static func quoted(_ word: String) -> String {
        let special: Set<Character> = [
            " ", "\t", "\n", "\\", "\"", "'", "`", "$", "#", "&", "*", "(", ")", "|", ";", "<", ">", "?", "[", "]", "!",
            "{", "}", "~", "^",
        ]
        guard word.isEmpty || word.contains(where: special.contains) else { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

/// Turns a guest into QEMU's command line: the same for a start and for `domxml-to-native`.
package enum QEMUCommand {
    /// - Parameter domain: complete, with addresses, aliases (`assignAliases`) and node indexes
    ///   (`assignNodeIndexes`).
    package static func build(
        _ domain: Domain, _ capabilities: QEMUCapabilities, _ environment: CommandEnvironment
    ) throws(VirtError) -> QEMUCommandLine {
        var builder = CommandBuilder(domain, capabilities, environment)
        try builder.checkHost()
        try builder.addAll()
        return QEMUCommandLine(
            environment: builder.processEnvironment, binary: domain.devices.emulator ?? capabilities.emulator,
            arguments: builder.arguments)
    }
}
