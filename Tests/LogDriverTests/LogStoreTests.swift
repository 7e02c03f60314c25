import Glibc
import Testing
import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

@testable import LogDriver

@Suite struct LogStoreTests {
    private let scratch: Scratch
    private let loops = EventLoopGroup(count: 1)
    private let domain = LogDomain(uuid: UUID(bytes: Array(0..<16)) ?? .zero, name: "guest")

    init() throws { scratch = try Scratch() }

    private func store(size: UInt64 = 0, backups: Int = 3) throws -> LogStore {
        let context = DaemonContext(
            name: "virtlogd", paths: DaemonPaths(root: scratch.path), loops: loops,
            config: .empty(name: "virtlogd.conf"),
            inhibitor: Inhibitor(), notify: SystemdNotify(), hostUUID: .zero)
        return try LogStore(context, policy: RotationPolicy(size: size, backups: backups))
    }

    private func open(_ store: LogStore, _ name: String = "g.log", flags: UInt32 = 0) async throws -> DescriptorBox {
        try await store.open(
            LogDomainOpenLogFileArgs(driver: "qemu", dom: domain, path: "\(scratch.path)/\(name)", flags: flags)
        ).1
    }

    private func write(_ text: String, _ pipe: DescriptorBox) throws {
        try FileSystem.write(pipe.rawValue, Array(text.utf8), name: "pipe")
    }

    private func position(_ store: LogStore, _ name: String = "g.log") async throws -> LogLogFilePosition {
        try await store.position("\(scratch.path)/\(name)", flags: 0)
    }

    /// Waits until the file has that text.
    private func expect(_ name: String, _ text: String) async throws {
        for _ in 0..<6000 {
            if try scratch.exists(name) && scratch.text(name) == text { return }
            try await loops.loops[0].sleep(for: .milliseconds(10))
        }
        #expect(try scratch.text(name) == text)
    }

    @Test func `what a guest has written is in the file when its position is asked for`() async throws {
        let store = try store()
        let pipe = try await open(store)
        try write("one\n", pipe)
        #expect(try await position(store).offset == 4)
        #expect(try scratch.text("g.log") == "one\n")
    }

    @Test func `an open log is not opened a second time`() async throws {
        let store = try store()
        let pipe = try await open(store)
        let error = await #expect(throws: VirtError.self) { try await open(store) }
        #expect(error?.message == "Cannot open log file: '\(scratch.path)/g.log': Device or resource busy")
        #expect(pipe.rawValue >= 0)
    }

    @Test func `truncation removes the old files too`() async throws {
        let store = try store()
        for name in ["g.log", "g.log.0", "g.log.2", "g.log.3"] {
            try FileSystem.atomicWrite("\(scratch.path)/\(name)", Array("old".utf8))
        }
        let pipe = try await open(store, flags: 1)
        try write("new", pipe)
        #expect(try await position(store).offset == 3)
        #expect(!scratch.exists("g.log.0") && !scratch.exists("g.log.2"))
        #expect(scratch.exists("g.log.3"))
    }

    @Test func `a message follows what the guest wrote before it`() async throws {
        let store = try store()
        let pipe = try await open(store)
        try write("guest\n", pipe)
        try await store.append("daemon\n", to: "\(scratch.path)/g.log", flags: 0)
        try await store.append("other\n", to: "\(scratch.path)/other.log", flags: 0)
        #expect(try scratch.text("g.log") == "guest\ndaemon\n")
        #expect(try scratch.text("other.log") == "other\n")
    }

    @Test func `flags that nobody knows are refused`() async throws {
        let store = try store()
        await #expect(throws: VirtError.self) { try await open(store, flags: 2) }
        await #expect(throws: VirtError.self) { try await store.append("x", to: "\(scratch.path)/g", flags: 1) }
        await #expect(throws: VirtError.self) { try await store.position("\(scratch.path)/g", flags: 1) }
        #expect(!scratch.exists("g"))
    }

    @Test func `the next program takes up the pipes with what is in them`() async throws {
        let store = try store()
        let pipe = try await open(store)
        try write("one\n", pipe)
        _ = try await position(store)
        let remains = try await store.remains()
        try write("two\n", pipe)
        #expect(try scratch.text("g.log") == "one\n")
        let file = try #require(remains.document["handler"]?["files"]?.array?.first?.object)
        #expect(remains.descriptors.count == 1 && file["pipefd"] == .integer(remains.descriptors[0]))
        #expect(
            file.members.dropFirst().map(\.value) == [
                .string("\(scratch.path)/g.log"), "qemu", "guest", .string(domain.uuid.description),
            ])
        // As exec would leave it.
        let left = dup(remains.descriptors[0])
        #expect(fcntl(left, F_GETFL) & O_NONBLOCK == 0)
        var document = remains.document
        var again = file
        again["pipefd"] = .integer(left)
        document["handler"] = ["files": [["path": "/nonsense"], .object(again), .object(file)]]
        let next = try self.store()
        await next.takeUp(document)
        try write("three\n", pipe)
        try await expect("g.log", "one\ntwo\nthree\n")
        #expect(await next.count == 1)
    }

    @Test func `a program that could not be replaced goes on`() async throws {
        let store = try store()
        let pipe = try await open(store)
        _ = try await store.remains()
        try write("one\n", pipe)
        await store.goOn()
        try await expect("g.log", "one\n")
        try write("two\n", pipe)
        try await expect("g.log", "one\ntwo\n")
    }

    @Test func `a log whose directory is missing waits for it`() async throws {
        let pipe = try OwnedDescriptor.pipe()
        let path = "\(scratch.path)/later/g.log"
        let facts = try StoredLog(of: pipe.reading, driver: "qemu", domain: domain, path: path)
        let (store, other) = (try store(), "other.log")
        await store.takeUp(facts, pipe.reading)
        try write("kept\n", pipe.writing)
        let second = try await open(store, other)
        try write("meanwhile\n", second)
        try await expect(other, "meanwhile\n")
        try FileSystem.makeDirectories("\(scratch.path)/later")
        try await expect("later/g.log", "kept\n")
        try write("more\n", pipe.writing)
        try await expect("later/g.log", "kept\nmore\n")
    }

    @Test func `a log is closed when its guest is gone and everything is written`() async throws {
        let store = try store()
        try write("last words", try await open(store))
        for _ in 0..<6000 where await store.count > 0 {
            try await loops.loops[0].sleep(for: .milliseconds(10))
        }
        #expect(await store.count == 0)
        #expect(try scratch.text("g.log") == "last words")
    }
}

extension LogStore {
    /// Open logs.
    fileprivate var count: Int { logs.count }
}
