import VirtCore
import VirtRPC

extension RestartState {
    /// The document.
    package func encoded() -> [UInt8] {
        let servers = servers.sorted { $0.key < $1.key }.map { JSONObject.Member($0.key, $0.value.document) }
        var document: JSONObject = ["daemon": ["servers": .object(JSONObject(members: servers))]]
        document["magic"] = .string(magic)
        document.members += driver.members
        return JSONValue.object(document).serialized()
    }

    /// The descriptors of all sockets in it.
    var sockets: [Int32] { servers.values.flatMap { $0.services.map(\.descriptor) + $0.clients.map(\.descriptor) } }
}

extension SavedServer {
    fileprivate var document: JSONValue {
        // Threads that libvirt would start; there are none here.
        [
            "min_workers": 0, "max_workers": 0, "priority_workers": 0,
            "max_clients": .integer(UInt32(clamping: limits.maxClients)),
            "max_anonymous_clients": .integer(UInt32(clamping: limits.maxAnonymousClients)),
            "keepaliveInterval": .integer(UInt32(bitPattern: limits.keepaliveInterval)),
            "keepaliveCount": .integer(limits.keepaliveCount),
            "next_client_id": .integer(nextID),
            "services": .array(services.map { $0.document(limits) }),
            "clients": .array(clients.map { $0.document(limits) }),
        ]
    }
}

extension SavedService {
    fileprivate func document(_ limits: ServerLimits) -> JSONValue {
        [
            "auth": .integer(authentication.rawValue), "readonly": .bool(isReadOnly),
            "nrequests_client_max": .integer(UInt32(clamping: limits.maxClientRequests)),
            "socks": [SavedServer.socket(descriptor, isClient: false, isOwn: isOwn)],
        ]
    }
}

extension SavedClient {
    fileprivate func document(_ limits: ServerLimits) -> JSONValue {
        var object: JSONObject = [
            "id": .integer(id), "auth": .integer(authentication.rawValue), "auth_pending": .bool(!isAuthenticated),
            "readonly": .bool(isReadOnly), "nrequests_max": .integer(UInt32(clamping: limits.maxClientRequests)),
        ]
        if connectTime != 0 { object["conn_time"] = .integer(connectTime) }
        object["sock"] = SavedServer.socket(descriptor, isClient: true, isOwn: false)
        object["privateData"] = .object(privateData)
        // Not libvirt's, whose programs end such a client.
        if !input.isEmpty { object["input"] = .string(input.map(Self.hexadecimal).joined()) }
        return .object(object)
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

extension SavedServer {
    fileprivate static func socket(_ descriptor: Int32, isClient: Bool, isOwn: Bool) -> JSONValue {
        [
            "fd": .integer(descriptor), "errfd": -1, "pid": 0, "isClient": .bool(isClient),
            "unlinkUNIX": .bool(isOwn),
        ]
    }
}
