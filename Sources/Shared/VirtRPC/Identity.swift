package import VirtCore
package import VirtOS

/// Who makes a call: taken from the socket's peer, replaced by CONNECT_SET_IDENTITY when another daemon calls for a client.
package struct Identity: Sendable, Equatable {
    package var userName: String?
    package var userID: UInt64?
    package var groupName: String?
    package var groupID: UInt64?
    package var processID: Int64?
    /// Start time of the process in clock ticks since boot (field 22 of /proc/PID/stat): tells a reused pid apart.
    package var processTime: UInt64?
    package var saslUserName: String?
    package var x509DistinguishedName: String?
    package var selinuxContext: String?
    /// The peer proved with the system token that it is a libvirt daemon of this host.
    package var isSystem = false

    package init() {}

    /// Typed parameters of CONNECT_SET_IDENTITY (virConnectSetIdentity); the token itself is the caller's to check.
    package init(parameters: [TypedParameter]) throws(VirtError) {
        for parameter in parameters {
            switch (parameter.field, parameter.value) {
            case ("user-name", .string(let value)): userName = value
            case ("unix-user-id", .ullong(let value)): userID = value
            case ("group-name", .string(let value)): groupName = value
            case ("unix-group-id", .ullong(let value)): groupID = value
            case ("process-id", .llong(let value)): processID = value
            case ("process-time", .ullong(let value)): processTime = value
            case ("sasl-user-name", .string(let value)): saslUserName = value
            case ("x509-distinguished-name", .string(let value)): x509DistinguishedName = value
            case ("selinux-context", .string(let value)): selinuxContext = value
            case (Identity.systemTokenField, .string): break
            default:
                throw VirtError(.invalidArg, .rpc, "unsupported identity parameter '\(parameter.field)'")
            }
        }
    }

    package static let systemTokenField = "system.token"

    /// The same as typed parameters, for the daemon that a call is passed on to.
    package var parameters: [TypedParameter] {
        var list: [TypedParameter] = []
        func add(_ field: String, _ value: TypedValue?) {
            if let value { list.append(TypedParameter(field, value)) }
        }
        add("user-name", userName.map { .string($0) })
        add("unix-user-id", userID.map { .ullong($0) })
        add("group-name", groupName.map { .string($0) })
        add("unix-group-id", groupID.map { .ullong($0) })
        add("process-id", processID.map { .llong($0) })
        add("process-time", processTime.map { .ullong($0) })
        add("sasl-user-name", saslUserName.map { .string($0) })
        add("x509-distinguished-name", x509DistinguishedName.map { .string($0) })
        add("selinux-context", selinuxContext.map { .string($0) })
        return list
    }
}

extension Identity {
    /// The identity that the kernel vouches for. A peer that is gone already has none.
    package init(peerOf socket: DescriptorBox) {
        self.init()
        guard let peer = try? UnixSocket.peerCredentials(socket.rawValue) else { return }
        userID = UInt64(peer.uid)
        groupID = UInt64(peer.gid)
        processID = Int64(peer.pid)
        selinuxContext = peer.securityContext
    }
}
