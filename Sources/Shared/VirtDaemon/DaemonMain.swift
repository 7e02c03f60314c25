import Glibc
import VirtCore
import VirtOS
import VirtRPC

private let log = Logger("daemon.main")

/// The main of every daemon.
package enum DaemonMain {
    /// Runs a daemon to its end: the whole of an executable's main.
    ///
    /// It belongs on the process's first thread, before any other is started: `-d` forks. That thread then waits while
    /// the event loops work; the main actor runs nothing.
    package static func run(_ description: DaemonDescription) -> Never {
        let program = CommandLine.arguments.first ?? description.name
        switch DaemonOptions.parse(CommandLine.arguments) {
        case .help:
            print(help(program, description), terminator: "")
            exit(0)
        case .version:
            print("\(program) (libvirt) \(LibvirtVersion.text)")
            exit(0)
        case .usage:
            toStandardError(help(program, description))
            exit(1)
        case .failure(let text):
            toStandardError("\(program): error: \(text)\n")
            exit(1)
        case .run(let options):
            exit(run(description, options, program))
        }
    }

    private static func run(_ description: DaemonDescription, _ options: DaemonOptions, _ program: String) -> Int32 {
        let start: DaemonStart
        do throws(StartFailure) {
            start = try DaemonStart(description, options, program)
        } catch {
            toStandardError("\(program): error: \(error.cause.message)\n")
            return 1
        }
        return start.run()
    }

    private static func help(_ program: String, _ description: DaemonDescription) -> String {
        let name = program.split(separator: "/").last.map(String.init) ?? program
        return DaemonOptions.help(
            program: name, title: description.title, paths: DaemonPaths(session: geteuid() != 0),
            names: description.fileNames)
    }

    static func toStandardError(_ text: String) {
        _ = unsafe Array(text.utf8).withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
    }
}

/// A step of the start that failed, and why.
struct StartFailure: Error {
    let step: StartStep
    let cause: VirtError

    init(_ step: StartStep, _ cause: VirtError) {
        self.step = step
        self.cause = cause
    }

    /// Runs a step; its error names the step.
    static func at<Value: ~Copyable>(
        _ step: StartStep, _ body: () throws(VirtError) -> Value
    ) throws(StartFailure) -> Value {
        do throws(VirtError) {
            return try body()
        } catch {
            throw StartFailure(step, error)
        }
    }
}
