import Glibc

/// `protocolgen [--check] [ROOT]`: writes the Swift code of Protocols/*.x in the package at ROOT (else the current
/// directory). With --check it changes nothing and exits with 1 when the code that is there is not current.
@main
struct Main {
    static func main() {
        var arguments = CommandLine.arguments.dropFirst()
        let isCheck = arguments.first == "--check"
        if isCheck { arguments = arguments.dropFirst() }
        guard arguments.count <= 1, arguments.first?.hasPrefix("-") != true else {
            report("usage: protocolgen [--check] [ROOT]")
            exit(2)
        }
        do {
            let tree = try OutputTree(root: arguments.first ?? ".")
            let stale = try tree.staleFiles()
            if isCheck {
                for name in stale { report("\(name) is not current: run protocolgen") }
                exit(stale.isEmpty ? 0 : 1)
            }
            try tree.update(stale)
            print("\(stale.count) files written")
        } catch {
            report("\(error)")
            exit(1)
        }
    }

    private static func report(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = unsafe write(STDERR_FILENO, line, line.count)
    }
}
