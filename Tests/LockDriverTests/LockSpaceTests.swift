import CLinux
import Glibc
import Testing
import VirtCore
import VirtOS

@testable import LockDriver

@Suite struct LockSpaceTests {
    private let one = LockHolder(pid: 10, start: nil)
    private let other = LockHolder(pid: 11, start: nil)

    @Test func `a resource has one owner at a time`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        try space.create("a")
        _ = try space.acquire("a", owner: one, flags: [])
        #expect(!scratch.isFree("a"))
        let error = #expect(throws: VirtError.self) { try space.acquire("a", owner: other, flags: []) }
        #expect(error?.code == .resourceBusy)
        #expect(error?.message == "resource busy: Lockspace resource 'a' is locked")
        try space.release("a", owner: 10).finish()
        #expect(scratch.isFree("a"))
    }

    @Test func `shared owners share, and the last one lets go`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        _ = try space.acquire("a", owner: one, flags: .known)
        _ = try space.acquire("a", owner: other, flags: .known)
        #expect(throws: VirtError.self) { try space.acquire("a", owner: one, flags: .autocreate) }
        try space.release("a", owner: 10).finish()
        #expect(!scratch.isFree("a"))
        let releases = space.releaseAll(owner: 11)
        #expect(releases.count == 1)
        for release in releases { release.finish() }
        #expect(!FileSystem.exists("\(scratch.path)/a"))
    }

    @Test func `a file that others share stays when this host lets go`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        _ = try space.acquire("a", owner: one, flags: .known)
        let elsewhere = try scratch.open("a")
        try #require(clinux_file_lock(elsewhere.rawValue, CLINUX_LOCK_SHARED, 0, 1, false) == 0)
        try space.release("a", owner: 10).finish()
        #expect(FileSystem.exists("\(scratch.path)/a"))
    }

    @Test func `a lock that another process's daemon holds is respected`() throws {
        let scratch = try Scratch()
        let other = try scratch.open("disk")
        try #require(clinux_file_lock(other.rawValue, CLINUX_LOCK_EXCLUSIVE, 0, 1, false) == 0)
        var space = LockSpace(directory: nil)
        let error = #expect(throws: VirtError.self) {
            try space.acquire("\(scratch.path)/disk", owner: one, flags: [])
        }
        #expect(error?.code == .resourceBusy)
    }

    @Test func `a lock outlives another open and close of its file`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        _ = try space.acquire("a", owner: one, flags: .autocreate)
        _ = try scratch.open("a")
        #expect(!scratch.isFree("a"))
    }

    @Test func `only the owner releases, and only what is locked`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        let missing = #expect(throws: VirtError.self) { try space.release("a", owner: 1) }
        #expect(missing?.message == "resource busy: Lockspace resource 'a' is not locked")
        _ = try space.acquire("a", owner: one, flags: .autocreate)
        let error = #expect(throws: VirtError.self) { try space.release("a", owner: 2) }
        #expect(error?.message == "internal error: owner 2 does not hold the resource lock")
    }

    @Test func `a file that is missing is made only when that is asked for`() throws {
        let scratch = try Scratch()
        var space = LockSpace(directory: scratch.path)
        let error = #expect(throws: VirtError.self) { try space.acquire("a", owner: one, flags: []) }
        #expect(error?.message == "Unable to open resource \(scratch.path)/a: No such file or directory")
        _ = try space.acquire("a", owner: one, flags: .autocreate)
        #expect(throws: VirtError.self) { try space.delete("a") }
        #expect(throws: VirtError.self) { try space.create("a") }
    }

    @Test func `a space is a directory, or becomes one`() throws {
        let scratch = try Scratch()
        _ = try LockSpace(making: "\(scratch.path)/deep/space")
        #expect(FileSystem.isDirectory("\(scratch.path)/deep/space"))
        _ = try scratch.open("file")
        let error = #expect(throws: VirtError.self) { try LockSpace(making: "\(scratch.path)/file") }
        #expect(
            error?.message == "internal error: Lockspace location \(scratch.path)/file exists, but is not a directory")
    }
}

extension LockSpace.Release {
    /// What the daemon does with it.
    func finish() {
        if case .ended(let resource) = self { resource.end() }
    }
}
