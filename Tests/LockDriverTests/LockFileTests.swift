import CLinux
import Glibc
import Testing
import VirtCore
import VirtOS

@testable import LockDriver

/// A record lock is this process's own and is no obstacle to its other record locks: what C virtlockd would hold is
/// played by this process.
@Suite struct LockFileTests {
    @Test(arguments: [false, true])
    func `the record lock of a program before becomes a lock of the open file`(isShared: Bool) throws {
        let scratch = try Scratch()
        let kind = isShared ? CLINUX_LOCK_SHARED : CLINUX_LOCK_EXCLUSIVE
        let file = LockFile(descriptor: try scratch.open("a"), isShared: isShared)
        try #require(clinux_record_lock(file.descriptor.rawValue, kind, 0, 1, false) == 0)
        #expect(try file.claim() == .held)
        // Closing another descriptor of the file ends record locks.
        _ = try scratch.open("a")
        #expect(!scratch.isFree("a"))
        #expect(scratch.isFree("a", CLINUX_LOCK_SHARED) == isShared)
    }

    @Test func `a lock of the open file is taken over as it is`() throws {
        let scratch = try Scratch()
        let left = try scratch.open("a")
        try #require(clinux_file_lock(left.rawValue, CLINUX_LOCK_EXCLUSIVE, 0, 1, false) == 0)
        let file = LockFile(descriptor: DescriptorBox(try left.descriptor.duplicate()), isShared: false)
        #expect(try file.claim() == .held)
        file.free()
        #expect(scratch.isFree("a"))
    }

    @Test func `who slipped in with a shared lock is waited for`() throws {
        let scratch = try Scratch()
        let other = try scratch.open("a")
        try #require(clinux_file_lock(other.rawValue, CLINUX_LOCK_SHARED, 0, 1, false) == 0)
        let file = LockFile(descriptor: try scratch.open("a"), isShared: false)
        #expect(try file.claim() == .weakened)
        #expect(try !file.take())
        #expect(clinux_file_lock(other.rawValue, CLINUX_LOCK_NONE, 0, 1, false) == 0)
        #expect(try file.take())
        #expect(!scratch.isFree("a", CLINUX_LOCK_SHARED))
    }

    @Test func `a lock that another took meanwhile is lost`() throws {
        let scratch = try Scratch()
        let other = try scratch.open("a")
        try #require(clinux_file_lock(other.rawValue, CLINUX_LOCK_EXCLUSIVE, 0, 1, false) == 0)
        let file = LockFile(descriptor: try scratch.open("a"), isShared: false)
        #expect(try file.claim() == .lost)
    }
}
