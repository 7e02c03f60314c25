import CLinux
import Glibc
package import VirtCore

extension UnixSocket {
    /// Listens on `path` with exactly `mode` and, if given, `group`.
    ///
    /// A socket file that nobody serves any more is replaced; one that is served is EADDRINUSE. The file never has more
    /// rights than `mode`, and nobody can connect before it has them all.
    package static func listen(
        path: String, mode: UInt32, group: UInt32? = nil, backlog: Int32 = 128
    ) throws(VirtError) -> OwnedDescriptor {
        try removeStale(path)
        let socket = try make()
        // The mode of the socket itself becomes that of the file, less the umask: no need to touch the process's umask.
        guard fchmod(socket.rawValue, mode & 0o700) == 0 else {
            throw .system(errno, .rpc, "Failed to set permissions of socket '\(path)'")
        }
        let result = unsafe path.withUTF8Bytes { unsafe clinux_unix_bind(socket.rawValue, $0, $1) }
        guard result >= 0 else { throw .system(-result, .rpc, "Failed to bind socket to '\(path)'") }
        do throws(VirtError) {
            try finish(socket.rawValue, path, mode, group, backlog)
        } catch {
            unsafe unlink(path)
            throw error
        }
        return socket
    }

    private static func finish(
        _ socket: Int32, _ path: String, _ mode: UInt32, _ group: UInt32?, _ backlog: Int32
    ) throws(VirtError) {
        if let group, unsafe chown(path, uid_t.max, group) < 0 {
            throw .system(errno, .rpc, "Failed to change group ID of '\(path)' to \(group)")
        }
        guard unsafe chmod(path, mode) == 0 else {
            throw .system(errno, .rpc, "Failed to set permissions of socket '\(path)'")
        }
        guard Glibc.listen(socket, backlog) == 0 else {
            throw .system(errno, .rpc, "Failed to listen on socket '\(path)'")
        }
    }

    private static func removeStale(_ path: String) throws(VirtError) {
        let probe = try make()
        let result = unsafe path.withUTF8Bytes { unsafe clinux_unix_connect(probe.rawValue, $0, $1) }
        switch -result {
        case 0, EAGAIN, EINPROGRESS:
            throw .system(EADDRINUSE, .rpc, "Failed to bind socket to '\(path)'")
        case ECONNREFUSED:
            guard isSocket(path) else { return }
            if unsafe unlink(path) < 0, errno != ENOENT {
                throw .system(errno, .rpc, "Failed to remove socket '\(path)'")
            }
        default:
            return
        }
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}
