import VirtCore
import VirtOS
import VirtWire

/// What a connection said of itself.
struct LockClient: Sendable, Equatable {
    var owner: LockOwner
    /// When the owner's process started; nil: there is none.
    var start: UInt64?
    var isRestricted = false

    init(owner: LockOwner, start: UInt64?, isRestricted: Bool = false) {
        self.owner = owner
        self.start = start
        self.isRestricted = isRestricted
    }

    /// An owner as it calls.
    init(owner: LockOwner) {
        self.init(owner: owner, start: LockHolder(pid: owner.pid).start)
    }

    var holder: LockHolder { LockHolder(pid: owner.pid, start: start) }
}

extension LockClient: XDRCodable {
    init(from reader: inout XDRReader) throws(VirtError) {
        owner = try LockOwner(from: &reader)
        let holder = try LockHolder(from: &reader)
        start = holder.start
        isRestricted = try reader.bool()
    }

    func encode(into writer: inout XDRWriter) {
        owner.encode(into: &writer)
        holder.encode(into: &writer)
        writer.bool(isRestricted)
    }
}

/// As the document of a daemon that is replaced in place has it ("privateData").
extension LockClient {
    /// nil: the connection has not said who it is.
    static func parse(_ object: JSONObject) throws(VirtError) -> LockClient? {
        let isRestricted = try object.requiredBool("restricted")
        let id = try object.required("ownerId", as: UInt32.self)
        let pid = try object.required("ownerPid", as: UInt32.self)
        let name = try object.requiredString("ownerName")
        guard let uuid = UUID(parsing: try object.requiredString("ownerUUID")) else {
            throw VirtError(.internalError, .locking, "Malformed ownerUUID in JSON document")
        }
        guard id != 0 else { return nil }
        let owner = LockOwner(uuid: uuid, name: name, id: id, pid: pid)
        let start = object["ownerStart"].map { $0.integer(UInt64.self) } ?? LockHolder(pid: pid).start
        return LockClient(owner: owner, start: start == 0 ? nil : start, isRestricted: isRestricted)
    }

    static func document(_ client: LockClient?) -> JSONObject {
        // libvirt's program refuses a client without these, whether they are known or not.
        var object: JSONObject = [
            "restricted": .bool(client?.isRestricted ?? false), "ownerPid": .integer(client?.owner.pid ?? 0),
            "ownerId": .integer(client?.owner.id ?? 0), "ownerName": .string(client?.owner.name ?? ""),
            "ownerUUID": .string((client?.owner.uuid ?? UUID(high: 0, low: 0)).description),
        ]
        if let client { object["ownerStart"] = .integer(client.start ?? 0) }
        return object
    }
}
