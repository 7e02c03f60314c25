import CSystemd
import Glibc
import VirtCore
import VirtOS
import VirtWire

/// Proof of who a client is, as the socket's configuration asks for.
enum Authenticator {
    private static let busName = "org.freedesktop.PolicyKit1"

    /// AUTH_LIST: the one mechanism that the client has to pass; root has passed by being root.
    static func offer(_ client: ClientHandle) -> RemoteAuthType {
        if client.isAuthenticated { return .none }
        if client.authentication == .polkit, client.identity.userID == 0 {
            client.authenticated()
            return .none
        }
        return client.authentication == .polkit ? .polkit : .sasl
    }

    /// AUTH_POLKIT: asks polkit whether the peer may monitor (read-only socket) or manage this host.
    static func polkit(_ client: ClientHandle) async throws {
        guard !client.isAuthenticated, client.authentication == .polkit else {
            throw VirtError(.authFailed, .rpc, "client tried unsupported PolicyKit init request")
        }
        let identity = client.identity
        guard let pid = identity.processID, let uid = identity.userID else {
            throw VirtError(.authFailed, .rpc, "the client's process is not known")
        }
        let action = client.isReadOnly ? "org.libvirt.unix.monitor" : "org.libvirt.unix.manage"
        let start = identity.processTime ?? 0
        try await BlockingPool.shared.run {
            try checkAuthorization(action: action, pid: UInt32(clamping: pid), start: start, uid: Int32(clamping: uid))
        }
        client.authenticated()
    }

    /// CheckAuthorization of polkit's D-Bus interface; waits for the answer, which may involve a password prompt.
    private static func checkAuthorization(action: String, pid: UInt32, start: UInt64, uid: Int32) throws(VirtError) {
        var bus: OpaquePointer?
        var result = unsafe sd_bus_open_system(&bus)
        guard result >= 0 else { throw .system(-result, .rpc, "cannot ask polkit: no system bus") }
        defer { unsafe sd_bus_flush_close_unref(bus) }
        var call: OpaquePointer?
        result = unsafe sd_bus_message_new_method_call(
            bus, &call, busName, "/org/freedesktop/PolicyKit1/Authority", "\(busName).Authority",
            "CheckAuthorization")
        guard result >= 0 else { throw .system(-result, .rpc, "cannot ask polkit") }
        defer { unsafe sd_bus_message_unref(call) }
        unsafe append(to: call, action: action, pid: pid, start: start, uid: uid)
        var failure = unsafe sd_bus_error()
        defer { unsafe sd_bus_error_free(&failure) }
        var reply: OpaquePointer?
        // Two minutes: the user may have to find the password.
        result = unsafe sd_bus_call(bus, call, 120_000_000, &failure, &reply)
        guard result >= 0 else {
            let reason = unsafe failure.message.map { unsafe String(cString: $0) } ?? VirtError.describe(errno: -result)
            throw VirtError(.authFailed, .rpc, "polkit: \(reason)")
        }
        defer { unsafe sd_bus_message_unref(reply) }
        try unsafe decide(reply, action)
    }

    private static func append(to call: OpaquePointer?, action: String, pid: UInt32, start: UInt64, uid: Int32) {
        // (sa{sv})sa{ss}us: subject, action, details, flags, cancellation id
        unsafe sd_bus_message_open_container(call, CChar(UInt8(ascii: "r")), "sa{sv}")
        unsafe appendString(call, "unix-process")
        unsafe sd_bus_message_open_container(call, CChar(UInt8(ascii: "a")), "{sv}")
        unsafe appendEntry(call, "pid", "u") {
            var value = pid; unsafe sd_bus_message_append_basic(call, $0, &value)
        }
        unsafe appendEntry(call, "start-time", "t") {
            var value = start; unsafe sd_bus_message_append_basic(call, $0, &value)
        }
        unsafe appendEntry(call, "uid", "i") {
            var value = uid; unsafe sd_bus_message_append_basic(call, $0, &value)
        }
        unsafe sd_bus_message_close_container(call)
        unsafe sd_bus_message_close_container(call)
        unsafe appendString(call, action)
        unsafe sd_bus_message_open_container(call, CChar(UInt8(ascii: "a")), "{ss}")
        unsafe sd_bus_message_close_container(call)
        var interaction: UInt32 = 1
        unsafe sd_bus_message_append_basic(call, CChar(UInt8(ascii: "u")), &interaction)
        unsafe appendString(call, "")
    }

    private static func appendString(_ call: OpaquePointer?, _ text: String) {
        _ = unsafe text.withCString { unsafe sd_bus_message_append_basic(call, CChar(UInt8(ascii: "s")), $0) }
    }

    private static func appendEntry(
        _ call: OpaquePointer?, _ key: String, _ type: String, _ value: (CChar) -> Void
    ) {
        unsafe sd_bus_message_open_container(call, CChar(UInt8(ascii: "e")), "sv")
        unsafe appendString(call, key)
        unsafe sd_bus_message_open_container(call, CChar(UInt8(ascii: "v")), type)
        value(type.utf8.first.map { CChar($0) } ?? 0)
        unsafe sd_bus_message_close_container(call)
        unsafe sd_bus_message_close_container(call)
    }

    private static func decide(_ reply: OpaquePointer?, _ action: String) throws(VirtError) {
        var isAuthorized: Int32 = 0
        var isChallenge: Int32 = 0
        guard unsafe sd_bus_message_enter_container(reply, CChar(UInt8(ascii: "r")), "bba{ss}") > 0,
            unsafe sd_bus_message_read_basic(reply, CChar(UInt8(ascii: "b")), &isAuthorized) > 0,
            unsafe sd_bus_message_read_basic(reply, CChar(UInt8(ascii: "b")), &isChallenge) > 0
        else { throw VirtError(.authFailed, .rpc, "polkit sent an unknown reply") }
        if isAuthorized != 0 { return }
        if isChallenge != 0 {
            throw VirtError(.authUnavailable, .rpc, "no agent is available to authenticate '\(action)'")
        }
        throw VirtError(.authFailed, .rpc, "access denied by policy")
    }
}
