import Glibc
import Synchronization
import VirtCore
import VirtOS
import VirtWire

/// What a daemon of the remote program says of itself when a client connects.
package struct ConnectionOptions: Sendable {
    /// The URI scheme that it serves ("qemu").
    package var scheme: String
    /// virConnectGetType's answer ("QEMU").
    package var type: String
    /// virConnectGetVersion's answer: major * 1,000,000 + minor * 1,000 + micro; nil: not supported.
    package var version: (@Sendable () async throws -> UInt64)?
    /// Numbers of the features (VIR_DRV_FEATURE_*) that the driver has.
    package var features: Set<Int32>
    /// A root daemon that takes the session path as well, as libvirt's QEMU driver does.
    package var acceptsSessionPath: Bool

    package init(
        scheme: String, type: String, features: Set<Int32> = [], acceptsSessionPath: Bool = false,
        version: (@Sendable () async throws -> UInt64)? = nil
    ) {
        self.scheme = scheme
        self.type = type
        self.features = features
        self.acceptsSessionPath = acceptsSessionPath
        self.version = version
    }
}

/// A handler's word that the call is not this daemon's: the router passes it on.
struct ForwardInstead: Error {}

/// The calls that every daemon of the remote program answers alike: authentication, open, features, identity.
package enum RemoteConnectionHandlers {
    private enum Feature {
        static let descriptorPassing: Int32 = 8
        static let keepalive: Int32 = 10
        static let eventCallback: Int32 = 14
        static let closeCallback: Int32 = 15
    }

    /// Handlers of a driver's daemon.
    package static func install(into table: inout HandlerTable, _ options: ConnectionOptions) {
        installCommon(into: &table)
        table.on(RemoteProgram.ConnectOpen.self) { arguments, caller in
            let uri = try canonical(arguments.name, options)
            try open(caller.client, uri: uri, flags: arguments.flags)
            return XDRVoid()
        }
        table.on(RemoteProgram.ConnectSupportsFeature.self) { arguments, caller in
            let known = supports(arguments.feature, caller.client) || options.features.contains(arguments.feature)
            return RemoteConnectSupportsFeatureRet(supported: known ? 1 : 0)
        }
        table.on(RemoteProgram.ConnectGetUri.self) { _, caller in
            RemoteConnectGetUriRet(uri: try openURI(caller.client))
        }
        table.on(RemoteProgram.ConnectGetType.self) { _, _ in RemoteConnectGetTypeRet(type: options.type) }
        table.on(RemoteProgram.ConnectGetLibVersion.self) { _, _ in
            RemoteConnectGetLibVersionRet(libVer: LibvirtVersion.number)
        }
        table.on(RemoteProgram.ConnectIsSecure.self) { _, _ in RemoteConnectIsSecureRet(secure: 1) }
        table.onAsync(RemoteProgram.ConnectGetHostname.self) { _, _ in
            RemoteConnectGetHostnameRet(hostname: try await BlockingPool.shared.run { try HostName.canonical() })
        }
        if let version = options.version {
            table.onAsync(RemoteProgram.ConnectGetVersion.self) { _, _ in
                RemoteConnectGetVersionRet(hvVer: try await version())
            }
        }
    }

    /// Handlers of virtproxyd: the rest goes to the daemon that the URI names.
    package static func installProxy(into table: inout HandlerTable) {
        installCommon(into: &table)
        table.on(RemoteProgram.ConnectOpen.self) { arguments, caller in
            let uri = arguments.name.flatMap { $0.isEmpty ? nil : $0 } ?? "qemu:///system"
            try ForwardingRules.check(uri: uri)
            try open(caller.client, uri: uri, flags: arguments.flags)
            throw ForwardInstead()
        }
        table.on(RemoteProgram.ConnectSupportsFeature.self) { arguments, caller in
            guard supports(arguments.feature, caller.client) else { throw ForwardInstead() }
            return RemoteConnectSupportsFeatureRet(supported: 1)
        }
    }

    private static func installCommon(into table: inout HandlerTable) {
        table.on(RemoteProgram.AuthList.self) { _, caller in
            RemoteAuthListRet(types: [Authenticator.offer(caller.client)])
        }
        table.onAsync(RemoteProgram.AuthPolkit.self) { _, caller in
            try await Authenticator.polkit(caller.client)
            return RemoteAuthPolkitRet(complete: 1)
        }
        table.on(RemoteProgram.ConnectClose.self) { _, caller in
            caller.client.closeAfterReply()
            return XDRVoid()
        }
        table.on(RemoteProgram.ConnectSetIdentity.self) { arguments, caller in
            try setIdentity(arguments.params, caller.client)
            return XDRVoid()
        }
        table.on(RemoteProgram.ConnectRegisterCloseCallback.self) { _, caller in
            try setCloseCallback(caller.client, true)
            return XDRVoid()
        }
        table.on(RemoteProgram.ConnectUnregisterCloseCallback.self) { _, caller in
            try setCloseCallback(caller.client, false)
            return XDRVoid()
        }
    }

    // MARK: Opening

    private static func open(_ client: ClientHandle, uri: String, flags: UInt32) throws(VirtError) {
        // VIR_CONNECT_RO, VIR_CONNECT_NO_ALIASES
        guard flags & ~3 == 0 else {
            throw VirtError(.invalidArg, .rpc, "unsupported flags (0x\(String(flags & ~3, radix: 16)))")
        }
        let isLate = client.state.withLock { state in
            if state.isOpen { return true }
            state.isOpen = true
            state.uri = uri
            if flags & 1 != 0 { state.isReadOnly = true }
            return false
        }
        if isLate { throw .rpc("connection already open") }
    }

    private static func canonical(_ name: String?, _ options: ConnectionOptions) throws(VirtError) -> String {
        guard let name, !name.isEmpty else { return "\(options.scheme):///system" }
        let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == options.scheme, parts[1].hasPrefix("//") else {
            throw VirtError(.noConnect, .none, name)
        }
        let rest = parts[1].dropFirst(2)
        let path = rest.drop { $0 != "/" }.prefix { $0 != "?" && $0 != "#" }
        let isSystem = geteuid() == 0
        let accepted = isSystem ? ["/system"] + (options.acceptsSessionPath ? ["/session"] : []) : ["/session"]
        guard accepted.contains(String(path)) else {
            let hint = "\(options.scheme):///\(isSystem ? "system" : "session")"
            throw VirtError(
                .internalError, .none, "unexpected \(options.type) URI path '\(path)', try \(hint)")
        }
        return name
    }

    private static func openURI(_ client: ClientHandle) throws(VirtError) -> String {
        guard let uri = client.uri else { throw .rpc("connection not open") }
        return uri
    }

    /// Features of the RPC layer; asking for keepalive starts it.
    private static func supports(_ feature: Int32, _ client: ClientHandle) -> Bool {
        if feature == Feature.keepalive { client.enableKeepalive() }
        return [Feature.descriptorPassing, Feature.keepalive, Feature.eventCallback, Feature.closeCallback]
            .contains(feature)
    }

    private static func setCloseCallback(_ client: ClientHandle, _ on: Bool) throws(VirtError) {
        let changed = client.state.withLock { state in
            defer { state.hasCloseCallback = on }
            return state.hasCloseCallback != on
        }
        guard !changed else { return }
        throw VirtError(
            .operationInvalid, .rpc,
            on ? "A close callback is already registered" : "the requested close callback is not registered")
    }

    /// CONNECT_SET_IDENTITY: another daemon, or root, speaks for somebody else.
    private static func setIdentity(_ parameters: [TypedParameter], _ client: ClientHandle) throws(VirtError) {
        var identity = try Identity(parameters: parameters)
        identity.isSystem = SystemToken.matches(parameters)
        let peer = client.identity
        guard identity.isSystem || peer.isSystem || peer.userID == 0 || peer.userID == UInt64(geteuid()) else {
            throw VirtError(.accessDenied, .access, nil)
        }
        client.identity = identity
    }
}

/// The secret that libvirt's daemons of one host share, and so prove to each other that they are.
package enum SystemToken {
    private static let token = Locked<String?>(nil)

    /// Set at start by the daemon, from /run/libvirt/common/system.token.
    package static var current: String? {
        get { token.value }
        set { token.value = newValue }
    }

    /// The identity's parameters with the token.
    static func attached(to identity: Identity) -> [TypedParameter] {
        var parameters = identity.parameters
        if let current { parameters.append(TypedParameter(Identity.systemTokenField, .string(current))) }
        return parameters
    }

    static func matches(_ parameters: [TypedParameter]) -> Bool {
        guard let current else { return false }
        return parameters.contains { $0.field == Identity.systemTokenField && $0.value == .string(current) }
    }
}
