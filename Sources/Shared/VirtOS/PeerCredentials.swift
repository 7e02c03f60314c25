import CLinux
import Glibc
package import VirtCore

/// Who is at the other end of a UNIX socket, as of its connect or listen.
package struct PeerCredentials: Equatable, Sendable {
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32
    /// The security label (SELinux, AppArmor), where the kernel has one.
    package var securityContext: String?

    package init(pid: Int32, uid: UInt32, gid: UInt32, securityContext: String? = nil) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.securityContext = securityContext
    }
}

extension UnixSocket {
    /// Asks the kernel for the peer of a connected socket.
    package static func peerCredentials(_ socket: Int32) throws(VirtError) -> PeerCredentials {
        var peer = PeerCredentials(pid: 0, uid: 0, gid: 0)
        let result = unsafe clinux_peer_credentials(socket, &peer.pid, &peer.uid, &peer.gid)
        guard result >= 0 else { throw .system(-result, .rpc, "Failed to get client socket identity") }
        peer.securityContext = securityContext(socket)
        return peer
    }

    private static func securityContext(_ socket: Int32) -> String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            let length = unsafe clinux_peer_security(socket, buffer.baseAddress, buffer.count)
            guard length > 0, length <= buffer.count else { return nil }
            return unsafe String(
                decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<length]), as: UTF8.self)
        }
    }
}
