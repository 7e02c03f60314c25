import Glibc
import Testing
import VirtOS

@testable import QEMUDriver

@Suite("Looking at images")
struct FileLookTests {
    @Test("files of several directories are found, missing ones and missing directories are not")
    func looking() throws {
        let root = "/tmp/virtswarm-look-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileSystem.makeDirectories(root + "/a")
        try FileSystem.makeDirectories(root + "/b")
        defer { try? FileSystem.removeTree(root) }
        try FileSystem.atomicWrite(root + "/a/one", [1, 2, 3], mode: 0o600)
        try FileSystem.atomicWrite(root + "/a/two", [1], mode: 0o600)
        try FileSystem.atomicWrite(root + "/b/one", [], mode: 0o600)
        var look = FileLook()
        func size(_ name: String) -> Int? { look.status(root + name).map { Int($0.st_size) } }
        #expect(size("/a/one") == 3)
        #expect(size("/a/two") == 1)
        #expect(size("/a/three") == nil)
        #expect(size("/b/one") == 0)
        #expect(size("/c/one") == nil)
        #expect(size("/c/two") == nil)
        #expect(size("/a/one") == 3)
        #expect(look.status("relative-and-missing") == nil)
        #expect(look.status("/tmp") != nil)
    }
}
