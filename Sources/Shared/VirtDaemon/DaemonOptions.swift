import CLinux
import Glibc

/// The command line of a daemon: libvirt's options, and `--root`.
package struct DaemonOptions: Sendable, Equatable {
    package var isVerbose = false
    /// `-d`: run in the background.
    package var isDaemon = false
    /// `-l` of virtproxyd: listen for TCP clients.
    package var isListening = false
    /// Seconds without clients after which the daemon ends; 0: it stays.
    package var timeout: UInt32 = 0
    package var configPath: String?
    package var pidPath: String?
    /// The directory that all paths of the daemon are below; "" for the host's own.
    package var root = ""

    package init() {}

    /// What the command line asks for.
    package enum Outcome: Sendable, Equatable {
        case run(DaemonOptions)
        case help
        case version
        /// A wrong option; getopt has told on the standard error which.
        case usage
        /// What is wrong, for the log.
        case failure(String)
    }

    private static let rootOption: Int32 = 1000

    /// Reads the arguments, the program's name first, as getopt_long does.
    package static func parse(_ arguments: [String]) -> Outcome {
        let names: [(String, Int32, Int32)] = [
            ("verbose", no_argument, letter("v")), ("daemon", no_argument, letter("d")),
            ("listen", no_argument, letter("l")), ("config", required_argument, letter("f")),
            ("timeout", required_argument, letter("t")), ("pid-file", required_argument, letter("p")),
            ("version", no_argument, letter("V")), ("help", no_argument, letter("h")),
            ("root", required_argument, rootOption),
        ]
        let strings = unsafe names.map { unsafe strdup($0.0) }
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe (strings + argv).forEach { unsafe free($0) } }
        var options = unsafe zip(names, strings).map { entry, name in
            unsafe option(name: UnsafePointer(name), has_arg: entry.1, flag: nil, val: entry.2)
        }
        unsafe options.append(option())
        clinux_options_begin()
        var result = DaemonOptions()
        while true {
            var argument: UnsafePointer<CChar>?
            let next = unsafe clinux_options_next(Int32(arguments.count), &argv, "ldf:p:t:vVh", options, &argument)
            guard next >= 0 else { break }
            if let outcome = unsafe result.apply(next, argument.map { unsafe String(cString: $0) } ?? "") {
                return outcome
            }
        }
        guard Int(clinux_options_rest()) >= arguments.count else {
            return .failure("unexpected, non-option, command line arguments")
        }
        return .run(result)
    }

    private mutating func apply(_ option: Int32, _ argument: String) -> Outcome? {
        switch option {
        case Self.letter("v"): isVerbose = true
        case Self.letter("d"): isDaemon = true
        case Self.letter("l"): isListening = true
        case Self.letter("f"): configPath = argument
        case Self.letter("p"): pidPath = argument
        case Self.letter("V"): return .version
        case Self.letter("h"): return .help
        case Self.letter("t"):
            guard let seconds = Int32(argument), (0...Int32.max / 1000).contains(seconds) else {
                return .failure("Invalid value for timeout")
            }
            timeout = UInt32(seconds)
        case Self.rootOption:
            guard argument.hasPrefix("/") else { return .failure("--root needs an absolute path") }
            root = argument
        default: return .usage
        }
        return nil
    }

    private static func letter(_ scalar: Unicode.Scalar) -> Int32 { Int32(scalar.value) }
}

extension DaemonOptions {
    /// The text of `--help`.
    static func help(program: String, title: String, paths: DaemonPaths, names: DaemonFileNames) -> String {
        let sockets = ([names.mainSocket] + [names.readOnlySocket].compactMap { $0 })
            .map { "      \(paths.runLibvirt)/\($0)" }.joined(separator: "\n")
        return """

            Usage:
              \(program) [options]

            Options:
              -h | --help            Display program help:
              -v | --verbose         Verbose messages.
              -d | --daemon          Run as a daemon & write PID file.
              -t | --timeout <secs>  Exit after timeout period.
              -f | --config <file>   Configuration file.
              -V | --version         Display version information.
              -p | --pid-file <file> Change name of PID file.
                   --root <dir>      Keep all files below this directory.

            \(title):

              Default paths:

                Configuration file (unless overridden by -f):
                  \(paths.etcLibvirt)/\(names.name).conf

                Sockets:
            \(sockets)

                PID file (unless overridden by -p):
                  \(paths.pidFile(names.name))


            """
    }
}
