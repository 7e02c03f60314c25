import Glibc
import Testing
import VirtCore
import VirtOS

@testable import VirtDaemon

@Suite struct ObjectStoreTests {
    private let directory = TemporaryDirectory()
    private var store: ObjectStore {
        ObjectStore(directory: directory.path + "/qemu", autostartDirectory: directory.path + "/qemu/autostart")
    }

    private func mode(_ name: String) -> UInt32 {
        var status = stat()
        return stat("\(directory.path)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `what is saved is loaded, with its autostart link`() throws {
        try store.save("a", Array("<a/>".utf8))
        try store.save("b", Array("<b/>".utf8))
        try store.setAutostart("b", true)
        let (objects, failures) = try store.load()
        #expect(objects.map(\.name) == ["a", "b"])
        #expect(objects.map(\.isAutostart) == [false, true])
        #expect(objects[1].bytes == Array("<b/>".utf8))
        #expect(failures.isEmpty)
        #expect(mode("qemu/a.xml") == 0o600)
        #expect(FileSystem.linkTarget(directory.path + "/qemu/autostart/b.xml") == directory.path + "/qemu/b.xml")
    }

    @Test func `removing an object removes its link, and again is no error`() throws {
        try store.save("a", [1])
        try store.setAutostart("a", true)
        try store.remove("a")
        try store.remove("a")
        #expect(try store.load().objects.isEmpty)
        #expect(FileSystem.linkTarget(directory.path + "/qemu/autostart/a.xml") == nil)
    }

    @Test func `a link to somewhere else is no autostart`() throws {
        try store.save("a", [1])
        try store.save("b", [2])
        try FileSystem.makeDirectories(directory.path + "/qemu/autostart")
        try FileSystem.makeLink(directory.path + "/qemu/autostart/a.xml", to: directory.path + "/qemu/b.xml")
        #expect(!store.isAutostart("a"))
    }

    @Test func `autostart follows a renamed object`() throws {
        try store.save("a", [1])
        try store.setAutostart("a", true)
        try store.rename("a", to: "b", [2])
        let objects = try store.load().objects
        #expect(objects == [ObjectStore.Stored(name: "b", bytes: [2], isAutostart: true)])
    }

    @Test func `a file that cannot be read is reported and left where it is`() throws {
        try store.save("good", [1])
        #expect(symlink("/nonexistent/target", directory.path + "/qemu/bad.xml") == 0)
        try directory.write("qemu/notes.txt", "x")
        try FileSystem.makeDirectories(directory.path + "/qemu/dir.xml")
        let (objects, failures) = try store.load()
        #expect(objects.map(\.name) == ["good"])
        #expect(failures.map(\.path) == [directory.path + "/qemu/bad.xml"])
        #expect(FileSystem.linkTarget(directory.path + "/qemu/bad.xml") != nil)
    }

    @Test func `a failed save leaves the old definition and no litter`() throws {
        try store.save("a", Array("old".utf8))
        // Nothing can be written beyond this size, as on a full disk.
        let hasFailed = fileSizeLimited { (try? store.save("a", [UInt8](repeating: 65, count: 1 << 20))) == nil }
        #expect(hasFailed)
        #expect(try directory.read("qemu/a.xml") == "old")
        #expect(try FileSystem.names(in: directory.path + "/qemu") == ["a.xml"])
    }

    /// Runs `body` while files of this thread's process may not grow; SIGXFSZ is ignored meanwhile.
    private func fileSizeLimited(_ body: () -> Bool) -> Bool {
        signal(SIGXFSZ, SIG_IGN)
        var old = rlimit()
        getrlimit(Int32(RLIMIT_FSIZE.rawValue), &old)
        var new = rlimit(rlim_cur: 64 << 10, rlim_max: old.rlim_max)
        setrlimit(Int32(RLIMIT_FSIZE.rawValue), &new)
        defer { setrlimit(Int32(RLIMIT_FSIZE.rawValue), &old) }
        return body()
    }

    @Test(arguments: ["a/b", "../a", "", "a\u{0}b", "/"])
    func `names that leave the directory are refused`(name: String) {
        #expect(throws: VirtError.self) { try store.save(name, [1]) }
        #expect(throws: VirtError.self) { try store.setAutostart(name, true) }
    }

    @Test func `a store without its directory is empty`() throws {
        #expect(try store.load().objects.isEmpty)
    }

    // As virXMLSaveFile of libvirt 9.0.0 writes it.
    @Test func `the header tells which command edits the object`() {
        #expect(
            ObjectStore.header(command: "edit", name: "n", uuid: nil) == """
                <!--
                WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
                OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
                  virsh edit n
                or other application using the libvirt API.
                -->


                """)
        let uuid = UUID(high: 1, low: 2)
        #expect(ObjectStore.header(command: "net-edit", name: "a b", uuid: uuid).contains("virsh net-edit \(uuid)\n"))
        #expect(ObjectStore.header(command: "edit", name: "a--b", uuid: nil).contains("virsh edit\n"))
    }
}
