package import VirtCore
package import VirtRPC

/// What a daemon leaves to the program that replaces it in place, in libvirt's schema (virtlogd-restart-exec.json): ours
/// and C's read each other's.
package struct RestartState: Sendable, Equatable {
    /// Bytes of the largest document that is read.
    package static let limit = 10 << 20

    /// The id, in decimal, of the process that both programs are: tells a document of another time apart.
    package var magic: String
    package var servers: [String: SavedServer]
    /// The driver's part: "handler" of virtlogd, "lockspaces" and "defaultLockspace" of virtlockd.
    package var driver: JSONObject

    package init(magic: String, servers: [String: SavedServer], driver: JSONObject) {
        self.magic = magic
        self.servers = servers
        self.driver = driver
    }
}

// MARK: Reading

extension RestartState {
    /// Reads a document that nobody vouches for.
    package init(parsing bytes: [UInt8]) throws(VirtError) {
        guard let document = try JSONParser.parse(bytes).object else {
            throw VirtError(.internalError, .none, "Malformed JSON document")
        }
        magic = try document.requiredString("magic")
        servers = [:]
        for member in try document.requiredObject("daemon").requiredObject("servers").members {
            guard let object = member.value.object else {
                throw VirtError(.internalError, .none, "Malformed servers data in JSON document")
            }
            servers[member.key] = try SavedServer(object)
        }
        driver = JSONObject(members: document.members.filter { !["magic", "daemon"].contains($0.key) })
    }
}

extension SavedServer {
    fileprivate init(_ object: JSONObject) throws(VirtError) {
        let services = try object.requiredObjects("services")
        var limits = ServerLimits()
        limits.maxClients = Int(try object.required("max_clients", as: UInt32.self))
        // Versions of libvirt before this key had no such limit.
        limits.maxAnonymousClients = object["max_anonymous_clients"]?.integer(UInt32.self).map(Int.init) ?? 0
        limits.keepaliveInterval = Int32(bitPattern: try object.required("keepaliveInterval"))
        limits.keepaliveCount = try object.required("keepaliveCount")
        if let service = services.first {
            limits.maxClientRequests = Int(max(1, try service.required("nrequests_client_max", as: UInt32.self)))
        }
        self.init(limits: limits, nextID: object["next_client_id"]?.integer() ?? 1)
        for service in services { self.services += try SavedService.list(service) }
        for client in try object.requiredObjects("clients") { clients.append(try SavedClient(client)) }
    }
}

extension SavedService {
    /// One service of libvirt has several sockets where a name has several addresses.
    fileprivate static func list(_ object: JSONObject) throws(VirtError) -> [SavedService] {
        let (authentication, isReadOnly) = (try Authentication(object), try object.requiredBool("readonly"))
        var list: [SavedService] = []
        for socket in try object.requiredObjects("socks") {
            list.append(
                SavedService(
                    descriptor: try socket.required("fd"), isReadOnly: isReadOnly, authentication: authentication,
                    isOwn: socket["unlinkUNIX"]?.bool ?? true))
        }
        return list
    }
}

extension SavedClient {
    fileprivate init(_ object: JSONObject) throws(VirtError) {
        let authentication = try Authentication(object)
        var input: [UInt8] = []
        if let text = object["input"]?.string {
            guard let bytes = Self.bytes(text) else {
                throw VirtError(.internalError, .none, "Malformed input field in JSON state document")
            }
            input = bytes
        }
        self.init(
            id: object["id"]?.integer() ?? 0, descriptor: try object.requiredObject("sock").required("fd"),
            isReadOnly: try object.requiredBool("readonly"), authentication: authentication,
            isAuthenticated: !(object["auth_pending"]?.bool ?? (authentication != .none)),
            connectTime: object["conn_time"]?.integer() ?? 0, input: input,
            privateData: try object.requiredObject("privateData"))
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count % 2 == 0, digits.count <= 2 * FrameDecoder.largestMessage else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}

extension Authentication {
    fileprivate init(_ object: JSONObject) throws(VirtError) {
        guard let value = Authentication(rawValue: try object.required("auth")) else {
            throw VirtError(.internalError, .none, "Unknown auth field in JSON state document")
        }
        self = value
    }
}
