import CLinux
import Glibc
import Testing
import VirtCore

@testable import VirtOS

@Suite struct FileSystemTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    func mode(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `an atomic write makes the file with its mode and leaves nothing else`() throws {
        let path = directory.file("a.xml")
        try FileSystem.atomicWrite(path, Array("one".utf8), mode: 0o666)
        #expect(mode(path) == 0o666)
        try FileSystem.atomicWrite(path, Array("two".utf8))
        #expect(mode(path) == 0o600)
        #expect(try text(FileSystem.read(path)) == "two")
        #expect(try FileSystem.names(in: directory.path) == ["a.xml"])
    }

    @Test func `the longest name that there is can be written`() throws {
        let path = directory.file(String(repeating: "n", count: 255))
        try FileSystem.atomicWrite(path, [1])
        #expect(try FileSystem.read(path) == [1])
    }

    @Test func `a failed rename leaves no temporary file`() throws {
        let path = directory.file("d")
        try FileSystem.makeDirectories(path + "/e")
        #expect(throws: VirtError.self) { try FileSystem.atomicWrite(path, [1]) }
        #expect(try FileSystem.names(in: directory.path) == ["d"])
    }

    @Test func `at the file size limit the old file stays whole`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("a.xml")
            try FileSystem.atomicWrite(path, Array("old".utf8))
            signal(SIGXFSZ, SIG_IGN)
            #expect(clinux_set_limit(0, ResourceLimit.Resource.fileSize.rawValue, 4096, 4096) == 0)
            let error = #expect(throws: VirtError.self) {
                try FileSystem.atomicWrite(path, [UInt8](repeating: 1, count: 8192))
            }
            #expect(error?.int1 == EFBIG)
            #expect(try text(FileSystem.read(path)) == "old")
            #expect(try FileSystem.names(in: directory.path) == ["a.xml"])
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func `on a full disk the old file stays whole`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("a.xml")
            // The thread's own mounts: everything up to the end of this closure stays on it.
            #expect(clinux_unshare_mounts() == 0)
            #expect(mount("tmpfs", directory.path, "tmpfs", 0, "size=64k") == 0)
            try FileSystem.atomicWrite(path, Array("old".utf8))
            let error = #expect(throws: VirtError.self) {
                try FileSystem.atomicWrite(path, [UInt8](repeating: 1, count: 1 << 20))
            }
            #expect(error?.int1 == ENOSPC)
            #expect(try text(FileSystem.read(path)) == "old")
            #expect(try FileSystem.names(in: directory.path) == ["a.xml"])
            try FileSystem.atomicWrite(path, Array("new".utf8))
            #expect(try text(FileSystem.read(path)) == "new")
            #expect(umount(directory.path) == 0)
        }
    }

    @Test func `reading is bounded, and works where files have no size`() throws {
        let path = directory.file("big")
        try FileSystem.atomicWrite(path, [UInt8](repeating: 5, count: 3_000_000))
        #expect(try FileSystem.read(path, limit: 3_000_000).count == 3_000_000)
        let error = #expect(throws: VirtError.self) { try FileSystem.read(path, limit: 2_999_999) }
        #expect(error?.int1 == EOVERFLOW)
        #expect(try !FileSystem.read("/proc/self/status").isEmpty)
        #expect(throws: VirtError.self) { try FileSystem.read("/dev/zero", limit: 100_000) }
        let missing = #expect(throws: VirtError.self) { try FileSystem.read("/no/such/file") }
        #expect(missing?.message == "Failed to open file '/no/such/file': No such file or directory")
    }

    @Test func `directories are made with those above them`() throws {
        let path = directory.file("a/b/c")
        try FileSystem.makeDirectories(path, mode: 0o711)
        try FileSystem.makeDirectories(path, mode: 0o700)
        #expect(mode(path) == 0o711)
        try FileSystem.atomicWrite(directory.file("file"), [])
        #expect(throws: VirtError.self) { try FileSystem.makeDirectories(directory.file("file")) }
        #expect(throws: VirtError.self) { try FileSystem.makeDirectories(directory.file("file/x")) }
    }

    @Test func `links are made, replaced and read`() throws {
        let link = directory.file("link")
        #expect(FileSystem.linkTarget(link) == nil)
        try FileSystem.makeLink(link, to: "/etc/passwd")
        try FileSystem.makeLink(link, to: "/etc/group")
        #expect(FileSystem.linkTarget(link) == "/etc/group")
        #expect(try FileSystem.remove(link))
        #expect(try !FileSystem.remove(link))
    }

    @Test func `a tree is removed without following its links`() throws {
        let keep = directory.file("keep")
        try FileSystem.makeDirectories(keep)
        try FileSystem.atomicWrite(keep + "/file", [1])
        let tree = directory.file("tree")
        try FileSystem.makeDirectories(tree + "/a/b")
        for index in 0..<100 { try FileSystem.atomicWrite("\(tree)/a/\(index)", []) }
        try FileSystem.makeLink(tree + "/a/link", to: keep)
        try FileSystem.removeTree(tree)
        #expect(try FileSystem.names(in: directory.path) == ["keep"])
        #expect(try FileSystem.names(in: keep) == ["file"])
        try FileSystem.removeTree(tree)
    }

    @Test func `names are sorted, and a directory that is not there has none`() throws {
        for name in ["b", ".h", "a"] { try FileSystem.atomicWrite(directory.file(name), []) }
        #expect(try FileSystem.names(in: directory.path) == [".h", "a", "b"])
        #expect(try FileSystem.names(in: directory.file("none")) == [])
    }

    @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("/a/b/", "/a/b")])
    func `the directory of a path`(path: String, directory: String) {
        #expect(FileSystem.directory(of: path) == directory)
    }

    @Test func `extended attributes are set, read and removed`() throws {
        let path = directory.file("x")
        try FileSystem.atomicWrite(path, [])
        let name = "user.virtswarm"
        do throws(VirtError) {
            try ExtendedAttribute.set(path, name, Array("12".utf8))
        } catch {
            // Not every file system for temporary files has them.
            return #expect(error.int1 == ENOTSUP)
        }
        #expect(try ExtendedAttribute.get(path, name) == Array("12".utf8))
        try ExtendedAttribute.remove(path, name)
        try ExtendedAttribute.remove(path, name)
        #expect(try ExtendedAttribute.get(path, name) == nil)
    }

    @Test func `an open file's lock follows its descriptor, a record lock its process`() async throws {
        let path = directory.file("lock")
        let first = try OwnedDescriptor(opening: path, O_RDWR | O_CREAT)
        let second = try OwnedDescriptor(opening: path, O_RDWR)
        #expect(try FileLock.takeOpenFile(first.rawValue, .exclusive, start: 0, length: 1))
        #expect(try !FileLock.takeOpenFile(second.rawValue, .exclusive, start: 0, length: 1))
        #expect(try FileLock.takeOpenFile(second.rawValue, .exclusive, start: 1, length: 1))
        try FileLock.releaseOpenFile(first.rawValue)
        #expect(try FileLock.takeOpenFile(second.rawValue, .shared, start: 0, length: 1))
        try FileLock.releaseOpenFile(second.rawValue)
        #expect(try FileLock.takeRecord(first.rawValue, .exclusive))
        #expect(try FileLock.takeRecord(second.rawValue, .exclusive))
        try FileLock.releaseRecord(first.rawValue)
    }
}
