import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

/// The documents of a domain's checkpoints, `/var/lib/libvirt/qemu/checkpoint/DOMAIN/CHECKPOINT.xml`.
extension DomainActor {
    private var checkpointDirectory: String { driver.paths.checkpoint + "/" + name }

    func writeCheckpoint(_ checkpoint: DomainCheckpoint) async throws {
        guard let name = checkpoint.name else { return }
        let directory = checkpointDirectory
        // A name that no shell takes is left out, as libvirt leaves out all of them here.
        let header = ObjectStore.header(command: "checkpoint-edit", name: " ", uuid: nil)
        let bytes = Array((header + (try checkpoint.format(secure: true))).utf8)
        try await BlockingPool.shared.run {
            try FileSystem.makeDirectories(directory, mode: 0o755)
            try FileSystem.atomicWrite("\(directory)/\(name).xml", bytes, mode: 0o600)
        }
    }

    func removeCheckpointFile(_ name: String) async {
        let path = "\(checkpointDirectory)/\(name).xml"
        do {
            _ = try await BlockingPool.shared.run { try FileSystem.remove(path) }
        } catch {
            Self.log.warning("\(error)")
        }
    }

    /// Reads the checkpoints of an earlier daemon. What cannot be read is left where it is.
    func loadCheckpoints() async {
        let directory = checkpointDirectory
        let found = try? await BlockingPool.shared.run { () -> CheckpointList in
            var list = CheckpointList()
            for file in try FileSystem.names(in: directory) where file.hasSuffix(".xml") {
                do {
                    let bytes = try FileSystem.read("\(directory)/\(file)")
                    list.set(try DomainCheckpoint.parse(existing: bytes))
                } catch {
                    Self.log.error("cannot read checkpoint '\(directory)/\(file)': \(error)")
                }
            }
            list.chooseCurrent()
            return list
        }
        guard let found, !found.isEmpty else { return }
        checkpoints = found
        publish()
    }

    /// Forgets all checkpoints; the bitmaps stay in the images.
    func dropCheckpointFiles() async {
        guard !checkpoints.isEmpty else { return }
        let directory = checkpointDirectory
        _ = try? await BlockingPool.shared.run { try FileSystem.removeTree(directory) }
        checkpoints = CheckpointList()
    }
}

extension QEMUDriver {
    /// Reads the checkpoints of all domains that have any.
    func loadCheckpoints() async {
        let directory = paths.checkpoint
        let names = (try? await BlockingPool.shared.run { try FileSystem.names(in: directory) }) ?? []
        for name in names {
            guard let domain = try? registry.snapshot(named: name), let actor = try? registry.actor(domain.uuid) else {
                continue
            }
            await actor.loadCheckpoints()
        }
    }
}
