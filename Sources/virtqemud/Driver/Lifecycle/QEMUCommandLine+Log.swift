import QEMUCommand

extension QEMUCommandLine {
    /// The command as the guest's log shows it: a variable or an option with its value per line, as a shell takes them.
    var logLines: String {
        var lines = environment.map(Self.quoted) + [Self.quoted(binary)]
        for word in arguments {
            if word.hasPrefix("-") || lines.isEmpty {
                lines.append(Self.quoted(word))
            } else {
                lines[lines.count - 1] += " " + Self.quoted(word)
            }
        }
        return lines.joined(separator: " \\\n")
    }

    private static func quoted(_ word: String) -> String {
        let special: Set<Character> = [
            " ", "\t", "\n", "\\", "\"", "'", "`", "$", "#", "&", "*", "(", ")", "|", ";", "<", ">", "?", "[", "]", "!",
            "{", "}", "~", "^",
        ]
        guard word.isEmpty || word.contains(where: special.contains) else { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
