import VirtCore

/// Under which names the locks are in systemd's store: a member of the document for a next program that knows of the store.
extension StoredLocks {
    static let member = "virtswarmStore"

    /// - Parameter sockets: of the clients, by their ids.
    func document(sockets: [UInt64: Int32]) -> JSONValue {
        func value(_ entry: Entry, _ facts: JSONObject) -> JSONValue {
            var object = facts
            object["number"] = .integer(entry.number)
            object["revision"] = .integer(entry.revision)
            return .object(object)
        }
        return [
            "last": .integer(lastNumber),
            "spaces": .array(spaces.map { value($0.value, ["directory": .string($0.key)]) }),
            "resources": .array(
                resources.map { value($0.value, ["space": .string($0.key.space), "name": .string($0.key.name)]) }),
            "clients": .array(
                clients.compactMap { id, entry in sockets[id].map { value(entry, ["fd": .integer($0)]) } }),
        ]
    }

    /// Goes on with what the program before has stored; the clients' entries, by the descriptors of their sockets.
    mutating func takeUp(_ object: JSONObject) throws(VirtError) -> [Int32: Entry] {
        func entry(_ object: JSONObject) throws(VirtError) -> Entry {
            Entry(number: try object.required("number"), revision: try object.required("revision"))
        }
        lastNumber = try object.required("last")
        for space in try object.requiredObjects("spaces") {
            spaces[try space.requiredString("directory")] = try entry(space)
        }
        for resource in try object.requiredObjects("resources") {
            let key = Key(space: try resource.requiredString("space"), name: try resource.requiredString("name"))
            resources[key] = try entry(resource)
        }
        var sockets: [Int32: Entry] = [:]
        for client in try object.requiredObjects("clients") { sockets[try client.required("fd")] = try entry(client) }
        return sockets
    }

    func holds(_ resource: LockResource, in space: String) -> Bool {
        resources[Key(space: space, name: resource.name)] != nil
    }
}
