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

    private func store(_ change: (inout LogSettings) -> Void = { _ in }) throws -> LogStore {
        let paths = DaemonPaths(root: scratch.path)
        let context = DaemonContext(
            name: "virtlogd", paths: paths, loops: loops, config: .empty(name: "virtlogd.conf"),
            inhibitor: Inhibitor(), notify: SystemdNotify(), hostUUID: .zero)
        var settings = try LogSettings(context.config, paths)
        change(&settings)
        return try LogStore(context, settings: settings)
    }

    private func append(_ store: LogStore, _ text: String, _ name: String, flags: UInt32 = 0) async throws {
        try await store.append(
            LogDomainAppendLogFileArgs(
                driver: "qemu", dom: domain, path: "\(scratch.path)/\(name)", message: text, flags: flags))
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
        try await append(store, "daemon\n", "g.log")
        try await append(store, "other\n", "other.log")
        #expect(try scratch.text("g.log") == "guest\ndaemon\n")
        #expect(try scratch.text("other.log") == "other\n")
    }

    @Test func `flags that nobody knows are refused`() async throws {
        let store = try store()
        await #expect(throws: VirtError.self) { try await open(store, flags: 2) }
        await #expect(throws: VirtError.self) { try await append(store, "x", "g", flags: 1) }
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

extension LogStoreTests {
    @Test func `JSON lines have a time, and a line that comes in parts is one`() async throws {
        let store = try store { $0.format = .json }
        let pipe = try await open(store)
        try write("one\ntw", pipe)
        try write("o\nhalf", pipe)
        try await expectMessages(["one", "two"])
        try await append(store, "from the daemon\n", "g.log")
        try write("\n\u{1}\"quoted\"\n", pipe)
        try await expectMessages(["one", "two", "from the daemon", "half", "\u{1}\"quoted\""])
        for line in try scratch.text("g.log").split(separator: "\n") {
            let object = try JSONParser.parse(String(line))
            #expect(object["domain"] == "guest" && object["uuid"] == .string(domain.uuid.description))
            let time = try #require(object["time"]?.string)
            #expect(time.contains("T") && time.hasSuffix("Z") && time.utf8.count == 24)
        }
    }

    private func expectMessages(_ expected: [String]) async throws {
        var found: [String] = []
        for _ in 0..<6000 {
            found = try scratch.text("g.log").split(separator: "\n").map {
                try JSONParser.parse(String($0))["message"]?.string ?? ""
            }
            if found == expected { return }
            try await loops.loops[0].sleep(for: .milliseconds(10))
        }
        #expect(found == expected)
    }

    @Test func `JSON lines are never cut, and what a guest wrote last is one`() async throws {
        let store = try store {
            $0.format = .json
            $0.rotation = RotationPolicy(size: 1000, backups: 100)
        }
        do {
            let pipe = try await open(store)
            for index in 0..<100 { try write(String(repeating: "x", count: index) + "\n", pipe) }
            try write("the end", pipe)
        }
        for _ in 0..<6000 where await store.count > 0 {
            try await loops.loops[0].sleep(for: .milliseconds(10))
        }
        let names = (0..<100).reversed().map { "g.log.\($0)" }.filter(scratch.exists) + ["g.log"]
        #expect(names.count > 10)
        var messages: [String] = []
        for name in names {
            let text = try scratch.text(name)
            #expect(text.utf8.count <= 1000)
            for line in text.split(separator: "\n") {
                messages.append(try JSONParser.parse(String(line))["message"]?.string ?? "?")
            }
        }
        #expect(messages == (0..<100).map { String(repeating: "x", count: $0) } + ["the end"])
    }

    @Test func `log files have the mode and the group that readers need`() async throws {
        let store = try store {
            $0.access = LogFileAccess(mode: 0o640, group: getgid())
            $0.rotation = RotationPolicy(size: 10, backups: 1)
        }
        let pipe = try await open(store)
        try write("a line\nanother\n", pipe)
        _ = try await position(store)
        for name in ["g.log", "g.log.0"] {
            var status = stat()
            #expect(stat("\(scratch.path)/\(name)", &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o640 && status.st_gid == getgid())
        }
    }

    @Test func `closed logs and old backups go when they are too old`() async throws {
        let now = time(nil)
        let names = ["qemu/a.log", "qemu/a.log.0", "qemu/open.log", "qemu/open.log.1", "qemu/new.log", "qemu/a.txt"]
        for name in names + ["daemon.log"] {
            try FileSystem.makeDirectories("\(scratch.path)/qemu")
            try FileSystem.atomicWrite("\(scratch.path)/\(name)", [])
            let age = name == "qemu/new.log" ? 3 : 4
            let times = [timespec(tv_sec: now - age * 86_400 + 3600, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, "\(scratch.path)/\(name)", times + times, 0) == 0)
        }
        let store = try store()
        let pipe = try await open(store, "qemu/open.log")
        let age = LogAge(root: scratch.path, days: 3)
        let old = age.old(now: now)
        #expect(old == ["a.log", "a.log.0", "open.log", "open.log.1"].map { "\(scratch.path)/qemu/\($0)" })
        await store.remove(old, age)
        #expect(names.filter(scratch.exists) == ["qemu/open.log", "qemu/new.log", "qemu/a.txt"])
        #expect(scratch.exists("daemon.log") && pipe.rawValue >= 0)
    }

    @Test(
        arguments: [
            ("g.log", "g.log"), ("g.log.0", "g.log"), ("a.b.log.12", "a.b.log"), ("g.txt", nil), ("g.log.x", nil),
            ("g.0", nil), ("log", nil), ("g.log.", nil), ("g.log.1.2", nil),
        ] as [(String, String?)])
    func `backups are known by their names`(name: String, log: String?) {
        #expect(LogAge.log(of: name) == log)
    }

    @Test func `the configuration is read`() throws {
        let text = """
            max_size = 10
            max_backups = 5
            max_age_days = 7
            log_root = "/logs"
            log_file_mode = "0644"
            log_file_group = "0"
            log_format = "json"
            """
        let file = try ConfigFile.parse(text, name: "virtlogd.conf")
        #expect(try DaemonSettings.read(file, kind: .log, isPrivileged: true).warnings == [])
        let settings = try LogSettings(file, DaemonPaths(root: "/r"))
        #expect(settings.rotation == RotationPolicy(size: 10, backups: 5))
        #expect(settings.access == LogFileAccess(mode: 0o644, group: 0))
        #expect(settings.format == .json && settings.maximumAge == 7 && settings.root == "/r/logs")
        let empty = try LogSettings(.empty(name: "virtlogd.conf"), DaemonPaths(root: ""))
        #expect(empty.root == "/var/log/libvirt" && empty.access == LogFileAccess() && empty.format == .plain)
        #expect(empty.rotation == RotationPolicy(size: 2_097_152, backups: 3) && empty.maximumAge == 0)
        for wrong in ["log_format = \"xml\"", "log_file_mode = \"abc\"", "log_file_group = \"no such group\""] {
            let file = try ConfigFile.parse(wrong, name: "virtlogd.conf")
            #expect(throws: VirtError.self) { try LogSettings(file, DaemonPaths(root: "")) }
        }
    }
}

extension LogStore {
    /// Open logs.
    fileprivate var count: Int { logs.count }
}
