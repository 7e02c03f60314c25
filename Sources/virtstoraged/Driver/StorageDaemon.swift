import Synchronization
import VirtCore
package import VirtDaemon
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// virtstoraged
package struct StorageDaemon {
    package static let description = DaemonDescription(
        name: "virtstoraged", title: "libvirt storage management daemon"
    ) { context in
        StorageService(context)
    }
}

/// The daemon's driver: pools and the handlers of their calls.
final class StorageService: DaemonDriver {
    private let driver: StorageDriver
    private let files: StorageFiles
    /// Held while the daemon lives: one storage daemon per state directory.
    private let lock = Mutex<PidFile?>(nil)

    init(_ context: DaemonContext) {
        files = StorageFiles(context.paths)
        let secrets = SecretLookup(directory: context.paths.runLibvirt, loop: context.loops.next())
        let environment = BackendEnvironment(
            stateDirectory: files.stateDirectory, secrets: { try await secrets.value($0.key) }, tools: SystemTools())
        driver = StorageDriver(files: files, backends: StorageBackends(environment))
    }

    func handlerTables() -> [HandlerTable] {
        var table = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.install(into: &table, ConnectionOptions(scheme: "storage", type: "storage"))
        StorageHandlers(driver).install(into: &table)
        return [table]
    }

    func start() async throws {
        let directory = files.stateDirectory
        try await BlockingPool.shared.run { [self] in
            try FileSystem.makeDirectories(directory, mode: 0o755)
            let file = try PidFile(acquiring: directory + "/driver.pid")
            keep(file)
        }
        try await driver.load()
    }

    private func keep(_ file: consuming PidFile) {
        var file: PidFile? = file
        lock.withLock { $0 = file.take() }
    }

    func reload() async { await driver.reload() }

    /// Pools stay up without the daemon.
    func stop() async {
        lock.withLock { file in
            if let taken = file.take() { taken.remove() }
        }
    }
}

extension StorageSecret {
    /// How the secret driver finds the passphrase of a volume.
    var key: SecretLookup.Key { uuid.map { .uuid($0) } ?? .usage(.volume, usage ?? "") }
}
