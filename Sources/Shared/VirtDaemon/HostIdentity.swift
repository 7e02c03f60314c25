import CLinux
import Glibc
package import VirtCore
import VirtOS

private let log = Logger("daemon.host")

/// What tells this host from others, and its daemons from strangers.
package enum HostIdentity {
    /// The host's UUID: the configured one, or the machine's, or for want of both a random one.
    package static func uuid(_ settings: DaemonSettings) -> UUID {
        if let configured = settings.hostUUID { return configured }
        let sources =
            settings.isHostUUIDFromMachineID
            ? ["/etc/machine-id"]
            : ["/sys/devices/virtual/dmi/id/product_uuid", "/sys/class/dmi/id/product_uuid"]
        for source in sources {
            guard let bytes = try? FileSystem.read(source, limit: 256) else { continue }
            if let uuid = UUID(parsing: String(decoding: bytes, as: UTF8.self)), uuid.isPlausible { return uuid }
        }
        log.debug("no UUID from \(sources[0]): using a random one")
        return .random()
    }

    private static let tokenBytes = 16

    /// The secret of libvirt's daemons on this host, in system.token; the first daemon of a boot makes it.
    package static func systemToken(_ paths: DaemonPaths) throws(VirtError) -> String {
        try FileSystem.makeDirectories(paths.common, mode: 0o700)
        let path = paths.common + "/system.token"
        let file = try OwnedDescriptor(opening: path, O_RDWR | O_APPEND | O_CREAT, mode: 0o600)
        // Two daemons that start together must not make two tokens; the lock goes with the descriptor.
        let locked = clinux_record_lock(file.rawValue, CLINUX_LOCK_EXCLUSIVE, 0, 0, true)
        guard locked >= 0 else { throw .system(-locked, .identity, "Failed to lock system token '\(path)'") }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0 else {
            throw .system(errno, .identity, "Failed to check system token '\(path)'")
        }
        if status.st_size == 0 {
            let token = newToken()
            try FileSystem.write(file.rawValue, Array(token.utf8), name: path)
            return token
        }
        var bytes = [UInt8](repeating: 0, count: 2 * tokenBytes)
        let count = unsafe pread(file.rawValue, &bytes, bytes.count, 0)
        guard count == bytes.count, status.st_size == count else {
            throw VirtError(.internalError, .identity, "System token '\(path)' is corrupt")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<tokenBytes).map { _ in
            let text = String(UInt8.random(in: 0...255, using: &generator), radix: 16)
            return text.utf8.count == 2 ? text : "0" + text
        }.joined()
    }
}
