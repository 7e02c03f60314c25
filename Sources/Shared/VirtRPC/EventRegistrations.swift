import VirtWire

/// The event registrations that a client made at one upstream daemon: kept so that they can be made again when the
/// daemon was restarted. The client keeps its callback ids; the daemon's may be others by then.
struct EventRegistrations {
    /// Callback ids are unique within one kind of object only.
    enum Kind: Hashable { case domain, network, storagePool, nodeDevice, secret, monitor }

    /// What a message does to the registrations.
    enum Effect {
        case none
        /// The reply brings a callback id.
        case register(Kind)
        case deregister(Kind)
        /// The oldest forms: no callback id; `undoneBy` is the procedure that takes it back.
        case registerLegacy
        case deregisterLegacy(registration: Int32)
    }

    struct Registration {
        let procedure: ProcedureDescriptor
        let payload: [UInt8]
        var upstreamID: Int32
    }

    struct Key: Hashable {
        let kind: Kind
        let clientID: Int32
    }

    private struct LegacyKey: Hashable {
        let procedure: Int32
        let payload: [UInt8]
    }

    private var registrations: [Key: Registration] = [:]
    private var legacy: [LegacyKey: ProcedureDescriptor] = [:]

    var isEmpty: Bool { registrations.isEmpty && legacy.isEmpty }

    static func effect(of procedure: ProcedureDescriptor) -> Effect {
        guard procedure.program == RemoteProgram.number else {
            guard procedure.program == QemuProgram.number else { return .none }
            return procedure.number == 4 ? .register(.monitor) : procedure.number == 5 ? .deregister(.monitor) : .none
        }
        switch procedure.number {
        case 316: return .register(.domain)
        case 317: return .deregister(.domain)
        case 313: return .register(.network)
        case 314: return .deregister(.network)
        case 368: return .register(.storagePool)
        case 369: return .deregister(.storagePool)
        case 374: return .register(.nodeDevice)
        case 375: return .deregister(.nodeDevice)
        case 380: return .register(.secret)
        case 381: return .deregister(.secret)
        case 105, 167: return .registerLegacy
        case 106: return .deregisterLegacy(registration: 105)
        case 168: return .deregisterLegacy(registration: 167)
        default: return .none
        }
    }

    /// The kind of object of an event that starts with a callback id; nil for the events without one.
    static func kind(ofEvent procedure: ProcedureDescriptor) -> Kind? {
        if procedure.program == QemuProgram.number { return .monitor }
        guard procedure.program == RemoteProgram.number, procedure.isEvent else { return nil }
        let name = procedure.name
        if name.hasPrefix("NETWORK_EVENT_") { return .network }
        if name.hasPrefix("STORAGE_POOL_EVENT_") { return .storagePool }
        if name.hasPrefix("NODE_DEVICE_EVENT_") { return .nodeDevice }
        if name.hasPrefix("SECRET_EVENT_") { return .secret }
        // From 334 on domain events exist in the callback form only.
        let hasCallbackID = name.hasPrefix("DOMAIN_EVENT_CALLBACK_") || procedure.number >= 334
        return name.hasPrefix("DOMAIN_EVENT_") && hasCallbackID ? .domain : nil
    }

    /// Remembers a registration and returns the callback id that the client is told.
    mutating func add(_ kind: Kind, _ procedure: ProcedureDescriptor, payload: [UInt8], upstreamID: Int32) -> Int32 {
        var clientID = upstreamID
        while registrations[Key(kind: kind, clientID: clientID)] != nil {
            clientID = clientID == .max ? 0 : clientID + 1
        }
        registrations[Key(kind: kind, clientID: clientID)] = Registration(
            procedure: procedure, payload: payload, upstreamID: upstreamID)
        return clientID
    }

    mutating func addLegacy(_ procedure: ProcedureDescriptor, payload: [UInt8]) {
        legacy[LegacyKey(procedure: procedure.number, payload: payload)] = procedure
    }

    mutating func removeLegacy(_ registration: Int32, payload: [UInt8]) {
        legacy[LegacyKey(procedure: registration, payload: payload)] = nil
    }

    mutating func remove(_ kind: Kind, clientID: Int32) {
        registrations[Key(kind: kind, clientID: clientID)] = nil
    }

    func upstreamID(_ kind: Kind, clientID: Int32) -> Int32? {
        registrations[Key(kind: kind, clientID: clientID)]?.upstreamID
    }

    func clientID(_ kind: Kind, upstreamID: Int32) -> Int32? {
        registrations.first { $0.key.kind == kind && $0.value.upstreamID == upstreamID }?.key.clientID
    }

    /// A registration to be made again after a restart, with how its reply is taken in.
    struct Renewal {
        let procedure: ProcedureDescriptor
        let payload: [UInt8]
        let key: Key?
    }

    var renewals: [Renewal] {
        registrations.sorted { $0.key.clientID < $1.key.clientID }.map {
            Renewal(procedure: $0.value.procedure, payload: $0.value.payload, key: $0.key)
        } + legacy.map { Renewal(procedure: $0.value, payload: $0.key.payload, key: nil) }
    }

    mutating func renewed(_ renewal: Renewal, upstreamID: Int32) {
        if let key = renewal.key { registrations[key]?.upstreamID = upstreamID }
    }
}
