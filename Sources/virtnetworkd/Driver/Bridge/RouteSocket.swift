import CNetlink
import Glibc
import VirtCore

/// A netlink socket of the kernel's routing family, for one request at a time. It waits: use it from a pool thread.
@safe final class RouteSocket {
    private let socket: OpaquePointer
    /// What the kernel answered to the request under way: 0 or an errno.
    private let outcome: UnsafeMutablePointer<Int32>

    init() throws(VirtError) {
        guard let socket = unsafe nl_socket_alloc() else { throw VirtError(.noMemory, .network) }
        let code = unsafe nl_connect(socket, NETLINK_ROUTE)
        guard code == 0 else {
            unsafe nl_socket_free(socket)
            throw VirtError(
                .internalError, .network,
                unsafe "cannot connect to netlink socket: \(String(cString: nl_geterror(code)))")
        }
        unsafe self.socket = unsafe socket
        unsafe outcome = .allocate(capacity: 1)
        unsafe outcome.initialize(to: 0)
        unsafe nl_socket_modify_err_cb(
            socket, NL_CB_CUSTOM,
            { _, error, argument in
                guard let error = unsafe error, let argument = unsafe argument else { return Int32(NL_STOP.rawValue) }
                unsafe argument.assumingMemoryBound(to: Int32.self).pointee = unsafe -error.pointee.error
                return Int32(NL_STOP.rawValue)
            }, unsafe outcome)
    }

    deinit {
        unsafe nl_socket_free(socket)
        unsafe outcome.deallocate()
    }

    /// Sends a request and waits for the kernel's word: 0, or the errno.
    func request(_ type: Int, flags: Int32 = 0, _ message: NetlinkMessage) throws(VirtError) -> Int32 {
        guard let raw = unsafe nlmsg_alloc_simple(Int32(type), Int32(NLM_F_REQUEST | NLM_F_ACK) | flags) else {
            throw VirtError(.noMemory, .network)
        }
        defer { unsafe nlmsg_free(raw) }
        var bytes = message.bytes
        guard unsafe nlmsg_append(raw, &bytes, bytes.count, Int32(NLMSG_ALIGNTO)) == 0 else {
            throw VirtError(.internalError, .network, "allocated netlink buffer is too small")
        }
        unsafe outcome.pointee = 0
        let sent = unsafe nl_send_auto(socket, raw)
        guard sent >= 0 else { throw failure(sent) }
        let code = unsafe nl_wait_for_ack(socket)
        if unsafe outcome.pointee != 0 { return unsafe outcome.pointee }
        guard code >= 0 else { throw failure(code) }
        return 0
    }

    private func failure(_ code: Int32) -> VirtError {
        VirtError(.internalError, .network, unsafe "netlink request failed: \(String(cString: nl_geterror(code)))")
    }
}
