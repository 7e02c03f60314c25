import CLinux
import Glibc
import Testing
import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

@testable import LockDriver

@Suite struct StoredLocksTests {
    private func memory(_ facts: some XDRCodable) throws -> DescriptorBox {
        let bytes = try facts.encoded()
        let file = bytes.withUnsafeBytes { clinux_memory_file("test", $0.baseAddress, $0.count) }
        try #require(file >= 0)
        return DescriptorBox(OwnedDescriptor(file))
    }

    private func resource(_ scratch: Scratch, owners: [UInt32]) throws -> (StoredResource, DescriptorBox) {
        let file = LockFile(descriptor: try scratch.open("disk"), isShared: true)
        let resource = LockResource(
            name: "disk", path: "\(scratch.path)/disk", file: file, flags: .shared,
            owners: owners.map { LockHolder(pid: $0, start: 1) })
        return (StoredResource(resource, in: ""), file.descriptor)
    }

    @Test func `a crash between two revisions leaves the later one`() throws {
        let scratch = try Scratch()
        let (before, file) = try resource(scratch, owners: [1])
        let (after, _) = try resource(scratch, owners: [1, 2])
        var stored = StoredLocks(SystemdNotify())
        let found = stored.takeUp([
            .init(name: "lock-facts-3-0", descriptor: try memory(before)),
            .init(name: "lock-file-3", descriptor: file),
            .init(name: "lock-facts-3-1", descriptor: try memory(after)),
        ])
        #expect(found.resources.map(\.facts) == [after])
        #expect(stored.lastNumber == 3)
    }

    @Test func `parts without their counterparts are nothing`() throws {
        let scratch = try Scratch()
        let (facts, file) = try resource(scratch, owners: [1])
        var stored = StoredLocks(SystemdNotify())
        let found = stored.takeUp([
            .init(name: "lock-facts-1-0", descriptor: try memory(facts)),
            .init(name: "lock-file-2", descriptor: file),
            .init(name: "lock-file-4", descriptor: file), .init(name: "lock-facts-4-0", descriptor: file),
            .init(name: "lock-facts-x-0", descriptor: file), .init(name: "other", descriptor: file),
            .init(name: "", descriptor: file),
        ])
        #expect(found.resources.isEmpty)
    }

    @Test func `spaces and connections are found again`() throws {
        let scratch = try Scratch()
        let socket = try scratch.open("socket")
        let client = LockClient(
            owner: LockOwner(uuid: UUID(high: 0, low: 1), name: "g", id: 1, pid: 1), start: 4, isRestricted: true)
        var stored = StoredLocks(SystemdNotify())
        let found = stored.takeUp([
            .init(name: "lock-space-1-0", descriptor: try memory(StoredSpace(directory: "/space"))),
            .init(name: "lock-client-2", descriptor: socket),
            .init(name: "lock-owner-2-5", descriptor: try memory(client)),
        ])
        #expect(found.spaces == ["/space"])
        #expect(found.clients.map(\.client) == [client])
        #expect(found.clients.first?.socket === socket)
    }

    @Test func `the next program knows under which names the locks are stored`() throws {
        let scratch = try Scratch()
        let (facts, file) = try resource(scratch, owners: [1])
        var before = StoredLocks(SystemdNotify())
        _ = before.takeUp([
            .init(name: "lock-space-7-0", descriptor: try memory(StoredSpace(directory: "/space"))),
            .init(name: "lock-facts-3-2", descriptor: try memory(facts)), .init(name: "lock-file-3", descriptor: file),
        ])
        before.clients[5] = .init(number: 4, revision: 1)
        let document = try #require(before.document(sockets: [5: 20]).object)
        var after = StoredLocks(SystemdNotify())
        let sockets = try after.takeUp(document)
        #expect(sockets[20]?.number == 4 && sockets[20]?.revision == 1)
        #expect(after.lastNumber == 7)
        #expect(after.spaces["/space"]?.number == 7)
        #expect(after.resources[.init(space: "", name: "disk")]?.revision == 2)
        #expect(throws: VirtError.self) { try after.takeUp(["last": 1]) }
    }

    @Test func `a program that knows of the store is told by its file`() throws {
        let scratch = try Scratch()
        let file = try scratch.open("program")
        #expect(!StoreMarker.isIn(file.rawValue))
        try FileSystem.write(file.rawValue, Array("ELF and more".utf8), name: "program")
        #expect(!StoreMarker.isIn(file.rawValue))
        try FileSystem.write(file.rawValue, Array("x\(StoreMarker.text)y".utf8), name: "program")
        #expect(StoreMarker.isIn(file.rawValue))
        #expect(!StoreMarker.isIn(programOf: ["/bin/true"]))
        #expect(!StoreMarker.isIn(programOf: ["/nonexistent"]))
    }
}
