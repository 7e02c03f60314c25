import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

/// The files that the driver keeps: definitions, autostart links, state of active pools, the boot's autostart mark.
/// All of it blocks: call it through a `BlockingPool`.
struct StorageFiles: Sendable {
    let definitions: ObjectStore
    let states: ObjectStore
    let stateDirectory: String

    init(_ paths: DaemonPaths) {
        let directory = paths.etcLibvirt + "/storage"
        stateDirectory = paths.runLibvirt + "/storage"
        definitions = ObjectStore(directory: directory, autostartDirectory: directory + "/autostart")
        states = ObjectStore(directory: stateDirectory)
    }

    func save(_ definition: StoragePool) throws {
        var definition = definition
        definition.capacity = 0
        definition.allocation = 0
        definition.available = 0
        try definitions.save(definition.name, Self.document(definition, try definition.format()))
    }

    func saveState(_ definition: StoragePool) throws {
        try states.save(definition.name, Self.document(definition, try StoragePoolStatus(definition).format()))
    }

    private static func document(_ pool: StoragePool, _ text: String) -> [UInt8] {
        Array((ObjectStore.header(command: "pool-edit", name: pool.name, uuid: pool.uuid) + text).utf8)
    }

    /// Whether the pools were autostarted since the host was booted; marks it.
    func markAutostarted() throws(VirtError) -> Bool {
        let path = stateDirectory + "/autostarted"
        if FileSystem.exists(path) { return true }
        try FileSystem.makeDirectories(stateDirectory, mode: 0o755)
        try FileSystem.atomicWrite(path, [], mode: 0o600)
        return false
    }
}
