package import VirtCore

/// The locks in libvirt's document of a daemon that is replaced in place: "defaultLockspace" and "lockspaces".
package struct LockDocument: Equatable, Sendable {
    package struct Resource: Equatable, Sendable {
        package var name: String
        package var path: String
        package var descriptor: Int32
        /// LockResource.Flags
        package var flags: UInt32
        package var owners: [Owner]
    }

    package struct Owner: Equatable, Sendable {
        package var pid: UInt32
        /// When the process started. Not libvirt's: C's programs leave it out.
        package var start: UInt64?
    }

    package struct Space: Equatable, Sendable {
        /// "" is the direct space, which is not in a list.
        package var directory: String
        package var resources: [Resource]
    }

    /// The first one is the direct space.
    package var spaces: [Space]

    private static let direct = "defaultLockspace"
    private static let others = "lockspaces"
    private static let knownFlags: UInt32 = 3

    package init(spaces: [Space]) {
        self.spaces = spaces
    }

    // MARK: Reading

    /// Reads the document; one that makes no sense is refused as a whole.
    package init(parsing document: JSONObject) throws(VirtError) {
        spaces = [Space(directory: "", resources: try Self.resources(document.requiredObject(Self.direct)))]
        var known: Set<String> = [""]
        for object in try document.requiredObjects(Self.others) {
            let directory = try object.requiredString("directory")
            guard known.insert(directory).inserted else {
                throw Self.malformed("lockspace '\(directory)' is there twice")
            }
            spaces.append(Space(directory: directory, resources: try Self.resources(object)))
        }
        let descriptors = spaces.flatMap { $0.resources.map(\.descriptor) }
        guard Set(descriptors).count == descriptors.count else {
            throw Self.malformed("a file descriptor is there twice")
        }
    }

    private static func resources(_ space: JSONObject) throws(VirtError) -> [Resource] {
        var resources: [Resource] = []
        var names: Set<String> = []
        for object in try space.requiredObjects("resources") {
            let resource = try self.resource(object)
            guard names.insert(resource.name).inserted else {
                throw malformed("resource '\(resource.name)' is there twice")
            }
            resources.append(resource)
        }
        return resources
    }

    private static func resource(_ object: JSONObject) throws(VirtError) -> Resource {
        let resource = Resource(
            name: try object.requiredString("name"), path: try object.requiredString("path"),
            descriptor: try object.required("fd"), flags: try object.required("flags"), owners: try owners(object))
        guard try object.requiredBool("lockHeld"), resource.descriptor > 2, resource.flags & ~knownFlags == 0,
            !resource.path.isEmpty, !resource.path.utf8.contains(0), !resource.owners.isEmpty
        else { throw malformed("resource '\(resource.name)' is none") }
        return resource
    }

    private static func owners(_ object: JSONObject) throws(VirtError) -> [Owner] {
        let starts = object["ownerStarts"]?.array ?? []
        var owners: [Owner] = []
        for (index, value) in try object.requiredArray("owners").enumerated() {
            guard let pid = value.integer(UInt32.self) else { throw malformed("an owner is no process") }
            owners.append(Owner(pid: pid, start: index < starts.count ? starts[index].integer() : nil))
        }
        return owners
    }

    private static func malformed(_ what: String) -> VirtError {
        VirtError(.internalError, .locking, "Malformed locks in JSON document: \(what)")
    }

    // MARK: Writing

    package var document: JSONObject {
        let direct = spaces.first { $0.directory.isEmpty } ?? Space(directory: "", resources: [])
        let others = spaces.filter { !$0.directory.isEmpty }
        return [
            Self.direct: .object(Self.object(direct)), Self.others: .array(others.map { .object(Self.object($0)) }),
        ]
    }

    private static func object(_ space: Space) -> JSONObject {
        var object = JSONObject()
        if !space.directory.isEmpty { object["directory"] = .string(space.directory) }
        object["resources"] = .array(
            space.resources.map { resource in
                [
                    "name": .string(resource.name), "path": .string(resource.path), "fd": .integer(resource.descriptor),
                    "lockHeld": true, "flags": .integer(resource.flags),
                    "owners": .array(resource.owners.map { .integer($0.pid) }),
                    "ownerStarts": .array(resource.owners.map { .integer($0.start ?? 0) }),
                ]
            })
        return object
    }
}
