import VirtCore
import VirtWire

/// The calls with which a daemon opens another daemon for a client: authentication, open, identity, and the event
/// registrations that an earlier connection had. A state machine without I/O.
struct Handshake {
    private enum Step {
        case authenticationList, polkit, open, identity
        case renewal(EventRegistrations.Renewal)
    }

    private let uri: String
    private let isReadOnly: Bool
    private let identity: Identity
    private var steps: [Step] = []
    private var current: Step?
    private var serial: UInt32 = 0

    init() {
        uri = ""
        isReadOnly = true
        identity = Identity()
    }

    init(uri: String, isReadOnly: Bool, identity: Identity, renewals: [EventRegistrations.Renewal]) {
        self.uri = uri
        self.isReadOnly = isReadOnly
        self.identity = identity
        steps = [.authenticationList, .open]
        if !isReadOnly { steps.append(.identity) }
        steps += renewals.map { .renewal($0) }
    }

    /// Takes the reply to the last call and returns the next call; nil when all is done.
    mutating func next(reply: Frame?, registrations: inout EventRegistrations) throws(VirtError) -> [UInt8]? {
        if let reply { try take(reply, &registrations) }
        guard !steps.isEmpty else { return nil }
        let step = steps.removeFirst()
        current = step
        serial += 1
        return try message(step)
    }

    private mutating func take(_ reply: Frame, _ registrations: inout EventRegistrations) throws(VirtError) {
        guard reply.header.serial == serial, let step = current else { return }
        if reply.header.status == .error {
            let error = WireError.decode(reply.payload)
            switch step {
            case .renewal(let renewal):
                // The object may be gone by now; the others are still worth having.
                log.warning("event registration \(renewal.procedure.name) cannot be renewed: \(error.message)")
                return
            case .authenticationList, .polkit, .open, .identity: throw error
            }
        }
        switch step {
        case .authenticationList:
            let types = try RemoteAuthListRet(decoding: reply.payload).types
            if types.contains(where: { $0.rawValue == Authentication.polkit.rawValue }) {
                steps.insert(.polkit, at: 0)
            } else if !types.contains(where: { $0.rawValue == Authentication.none.rawValue }) {
                throw VirtError(.authFailed, .rpc, "the daemon of \(uri) asks for an unsupported authentication")
            }
        case .renewal(let renewal):
            if let id = Int32(wire: reply.payload) { registrations.renewed(renewal, upstreamID: id) }
        case .polkit, .open, .identity: break
        }
    }

    private func message(_ step: Step) throws(VirtError) -> [UInt8] {
        switch step {
        case .authenticationList: try call(RemoteProgram.AuthList.self, XDRVoid())
        case .polkit: try call(RemoteProgram.AuthPolkit.self, XDRVoid())
        case .open:
            try call(
                RemoteProgram.ConnectOpen.self, RemoteConnectOpenArgs(name: uri, flags: isReadOnly ? 1 : 0))
        case .identity:
            try call(
                RemoteProgram.ConnectSetIdentity.self,
                RemoteConnectSetIdentityArgs(params: SystemToken.attached(to: identity), flags: 0))
        case .renewal(let renewal):
            XDRWriter.frame(
                MessageHeader(renewal.procedure, type: .call, serial: serial), data: renewal.payload)
        }
    }

    private func call<P: Procedure>(_ procedure: P.Type, _ arguments: P.Arguments) throws(VirtError) -> [UInt8] {
        try XDRWriter.frame(MessageHeader(P.descriptor, type: .call, serial: serial), arguments)
    }
}
