import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// The checkpoints that a domain has on disk: one file for each.
enum CheckpointLists {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let (registry, paths) = (driver.registry, driver.paths)
        table.onAsync(RemoteProgram.DomainListAllCheckpoints.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.dom)
            let names = try await names(paths.checkpoint, domain)
            let list = names.map { RemoteNonnullDomainCheckpoint(name: $0, dom: domain.handle) }
            return .init(checkpoints: arguments.needResults != 0 ? list : [], ret: Int32(clamping: list.count))
        }
        table.onAsync(RemoteProgram.DomainCheckpointLookupByName.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.dom)
            guard try await names(paths.checkpoint, domain).contains(arguments.name) else {
                throw VirtError(
                    .noDomainCheckpoint, .qemu, "no domain checkpoint with matching name '\(arguments.name)'")
            }
            return .init(checkpoint: .init(name: arguments.name, dom: domain.handle))
        }
    }

    private static func names(_ directory: String, _ domain: DomainSnapshot) async throws -> [String] {
        let path = directory + "/" + domain.name
        return try await BlockingPool.shared.run {
            guard FileSystem.isDirectory(path) else { return [] }
            return try FileSystem.names(in: path).filter { $0.hasSuffix(".xml") }.map { String($0.dropLast(4)) }
                .sorted()
        }
    }
}
