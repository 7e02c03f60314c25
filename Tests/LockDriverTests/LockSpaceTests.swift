import CLinux
import Glibc
import Testing
import VirtCore
import VirtOS

@testable import LockDriver

@Suite struct LockSpaceTests {
    /// A directory that is gone with the test.
    private final class Scratch {
        let path: String

        init() throws {
            var template = Array("/tmp/virtswarm-lock-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit { try? FileSystem.removeTree(path) }
    }

    /// Whether another open of the file gets its exclusive lock.
    private func isFree(_ path: String) -> Bool {
        let file = open(path, O_RDWR)
        defer { close(file) }
        return clinux_file_lock(file, CLINUX_LOCK_EXCLUSIVE, 0, 1, false) == 0
    }

    @Test func `a resource has one owner at a time`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        try space.create("a")
        try space.acquire("a", owner: 10, flags: [])
        #expect(!isFree("\(scratch.path)/a"))
        let error = #expect(throws: VirtError.self) { try space.acquire("a", owner: 11, flags: []) }
        #expect(error?.code == .resourceBusy)
        #expect(error?.message == "resource busy: Lockspace resource 'a' is locked")
        try space.release("a", owner: 10)
        #expect(isFree("\(scratch.path)/a"))
    }

    @Test func `shared owners share, and the last one lets go`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        try space.acquire("a", owner: 10, flags: [.shared, .autocreate])
        try space.acquire("a", owner: 11, flags: [.shared, .autocreate])
        #expect(throws: VirtError.self) { try space.acquire("a", owner: 12, flags: [.autocreate]) }
        try space.release("a", owner: 10)
        #expect(!isFree("\(scratch.path)/a"))
        #expect(space.releaseAll(owner: 11) == 1)
        #expect(!FileSystem.exists("\(scratch.path)/a"))
    }

    @Test func `a lock that another process's daemon holds is respected`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/disk"
        let other = DescriptorBox(try OwnedDescriptor(opening: path, O_RDWR | O_CREAT))
        try #require(clinux_file_lock(other.rawValue, CLINUX_LOCK_EXCLUSIVE, 0, 1, false) == 0)
        var space = LockSpace(directory: nil)
        let error = #expect(throws: VirtError.self) { try space.acquire(path, owner: 1, flags: []) }
        #expect(error?.code == .resourceBusy)
    }

    @Test func `only the owner releases, and only what is locked`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        #expect(throws: VirtError.self) { try space.release("a", owner: 1) }
        try space.acquire("a", owner: 1, flags: .autocreate)
        let error = #expect(throws: VirtError.self) { try space.release("a", owner: 2) }
        #expect(error?.message == "internal error: owner 2 does not hold the resource lock")
    }

    @Test(arguments: ["", ".", "..", "a/b", "/etc/passwd"])
    func `a name that leaves the directory is refused`(name: String) throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        #expect(throws: VirtError.self) { try space.acquire(name, owner: 1, flags: .autocreate) }
    }
}
