import Glibc
import Testing
import VirtCore
import VirtWire

@testable import LockDriver

@Suite struct LockClientTests {
    private let owner = LockOwner(uuid: UUID(high: 1, low: 2), name: "guest", id: 7, pid: 4242)

    @Test func `what libvirt's daemon knows of a client is read`() throws {
        let object: JSONObject = [
            "restricted": true, "ownerPid": .integer(getpid()), "ownerId": 7, "ownerName": "guest",
            "ownerUUID": "00000000-0000-0001-0000-000000000002",
        ]
        let client = try #require(try LockClient.parse(object))
        #expect(client.isRestricted)
        #expect(client.owner.uuid == owner.uuid)
        #expect(client.start != nil, "the owner is the process of that number")
    }

    @Test(arguments: [nil, 5] as [UInt64?])
    func `what is written is read again`(start: UInt64?) throws {
        let client = LockClient(owner: owner, start: start, isRestricted: true)
        #expect(try LockClient.parse(LockClient.document(client)) == client)
        let bytes = try client.encoded()
        #expect(try LockClient(decoding: bytes[...]) == client)
    }

    @Test func `a client that did not say who it is has all that libvirt's daemon asks for`() throws {
        let object = LockClient.document(nil)
        for key in ["restricted", "ownerPid", "ownerId", "ownerName", "ownerUUID"] { #expect(object[key] != nil) }
        #expect(try LockClient.parse(object) == nil)
    }

    @Test func `a process is told from a later one with its number`() {
        let own = LockHolder(pid: UInt32(getpid()))
        #expect(!own.isGone)
        #expect(LockHolder(pid: own.pid, start: (own.start ?? 0) + 1).isGone)
        #expect(!LockHolder(pid: UInt32(Int32.max), start: nil).isGone, "one that never was cannot be missed")
    }
}
