import Glibc
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtXML

/// The files that describe a domain's snapshots: /var/lib/libvirt/qemu/snapshot/DOMAIN/NAME.xml, as C libvirt writes
/// them. Everything blocks: call it through a `BlockingPool`.
struct SnapshotFiles: Sendable {
    /// One directory for each domain.
    let directory: String

    private static let suffix = ".xml"
    private static let largestFile = 1 << 20
    private static let log = Logger("qemu.snapshot")

    /// What the files of a domain say.
    struct Loaded: Sendable {
        var snapshots: [Snapshot] = []
        var current: String?
    }

    /// The domains that have a directory.
    func domains() -> Set<String> { Set((try? FileSystem.names(in: directory)) ?? []) }

    /// Reads all files of a domain; what can't be read is reported and left where it is.
    func load(_ domain: String) -> Loaded {
        var loaded = Loaded()
        let place = "\(directory)/\(domain)"
        let names = ((try? FileSystem.names(in: place)) ?? []).filter { $0.hasSuffix(Self.suffix) }
        for name in names.sorted() {
            let path = "\(place)/\(name)"
            do {
                let snapshot = try Snapshot.parseFile(try FileSystem.read(path, limit: Self.largestFile))
                if snapshot.isActive == true {
                    if loaded.current != nil {
                        Self.log.error("Too many snapshots claiming to be current for domain \(domain)")
                    }
                    loaded.current = snapshot.name
                }
                loaded.snapshots.append(snapshot)
            } catch {
                Self.log.error("Failed to parse snapshot XML from file '\(path)': \(error)")
            }
        }
        return loaded
    }

    /// Writes one file so that it survives a crash.
    func write(_ snapshot: Snapshot, domain: String) throws {
        let place = "\(directory)/\(domain)"
        do {
            try FileSystem.makeDirectories(place, mode: 0o755)
        } catch {
            throw VirtError.system(error.int1, .qemu, "cannot create snapshot directory '\(place)'")
        }
        let text = ObjectStore.header(command: "snapshot-edit", name: nil, uuid: nil) + (try snapshot.format(.secure))
        try FileSystem.atomicWrite(path(snapshot.name, domain), Array(text.utf8), mode: 0o600)
    }

    /// Removes a snapshot's file. A failure is only logged: the snapshot itself is gone.
    func remove(_ name: String, domain: String) {
        do throws(VirtError) {
            _ = try FileSystem.remove(path(name, domain))
        } catch {
            Self.log.warning("Failed to unlink \(path(name, domain)): \(error.message)")
        }
    }

    /// Removes a domain's directory once it is empty.
    func removeDirectory(_ domain: String) {
        let place = "\(directory)/\(domain)"
        if unsafe rmdir(place) != 0, errno != ENOENT {
            Self.log.warning("unable to remove snapshot directory \(place): \(VirtError.describe(errno: errno))")
        }
    }

    private func path(_ name: String, _ domain: String) -> String { "\(directory)/\(domain)/\(name)\(Self.suffix)" }
}
