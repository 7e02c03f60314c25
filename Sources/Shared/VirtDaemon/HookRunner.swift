import Glibc
import Synchronization
import VirtCore
import VirtOS

private let log = Logger("util.hook")

/// Runs the scripts below /etc/libvirt/hooks that the administrator put there for a driver.
package struct HookRunner: Sendable {
    /// The script, for example /etc/libvirt/hooks/qemu; more are in the directory of that name with ".d".
    package let script: String

    /// - Parameter driver: "daemon", "qemu", "network".
    package init(driver: String, paths: DaemonPaths) {
        script = "\(paths.etcLibvirt)/hooks/\(driver)"
    }

    /// Runs `hooks/<driver>` and then what is in `hooks/<driver>.d`, by name, with the same arguments.
    ///
    /// Without scripts nothing happens. Throws VIR_ERR_HOOK_SCRIPT_FAILED for the first script that fails.
    package func run(
        object: String, operation: String, subOperation: String = "-", extra: String = "-", input: String? = nil,
        timeout: Duration = .seconds(600)
    ) async throws {
        for path in try await BlockingPool.shared.run({ scripts() }) {
            log.debug("calling \(path) \(object) \(operation) \(subOperation) \(extra)")
            let child = ChildProcess(path, [object, operation, subOperation, extra])
            let output: ChildProcess.Output
            do {
                output = try await ChildProcess.run(child, input: input.map { Array($0.utf8) }, timeout: timeout)
            } catch let error as VirtError {
                throw VirtError(.hookScriptFailed, .hook, error.message)
            }
            guard output.status.isSuccess else {
                let failure = ChildProcess.failure(child.commandLine, output)
                throw VirtError(.hookScriptFailed, .hook, failure.message)
            }
        }
    }

    /// The scripts that there are now, in the order of their calls.
    func scripts() -> [String] {
        var paths: [String] = []
        if isExecutable(script) { paths.append(script) }
        let directory = script + ".d"
        let names = (try? FileSystem.names(in: directory)) ?? []
        for name in names {
            let path = "\(directory)/\(name)"
            if isExecutable(path) {
                paths.append(path)
            } else {
                log.warning("Non-executable hook script \(path)")
            }
        }
        return paths
    }

    private func isExecutable(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
