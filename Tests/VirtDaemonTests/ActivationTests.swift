import Glibc
import Testing
import VirtCore
import VirtOS

@testable import VirtDaemon

@Suite struct ActivationTests {
    private func names(_ count: String?, _ names: String?, pid: String? = "7") throws -> [String] {
        try Activation.parse(pid: pid, count: count, names: names, ownPid: 7).map { "\($0.0):\($0.1)" }
    }

    @Test func `descriptors start at 3 and keep their names`() throws {
        #expect(
            try names("2", "virtlogd.socket:virtlogd-admin.socket") == ["3:virtlogd.socket", "4:virtlogd-admin.socket"])
        #expect(try names("2", nil) == ["3:", "4:"])
    }

    @Test func `what is meant for another process is not ours`() throws {
        #expect(try names("2", "a:b", pid: "8") == [])
        #expect(try names("2", "a:b", pid: nil) == [])
        #expect(try names(nil, "a:b") == [])
    }

    @Test(arguments: [("2", "a"), ("1", "a:b"), ("x", nil), ("-1", nil), ("999999999", nil)])
    func `announcements that contradict themselves are errors`(count: String, list: String?) {
        #expect(throws: VirtError.self) { try names(count, list) }
    }

    private func listening(_ directory: TemporaryDirectory, _ name: String) throws -> DescriptorBox {
        DescriptorBox(try UnixSocket.listen(path: "\(directory.path)/\(name)", mode: 0o600))
    }

    private func other() throws -> DescriptorBox { DescriptorBox(try OwnedDescriptor(opening: "/dev/null", O_RDONLY)) }

    @Test func `sockets go by their unit, stored descriptors apart`() throws {
        let directory = TemporaryDirectory()
        let main = try listening(directory, "main")
        let admin = try listening(directory, "admin")
        let pipe = try other()
        var activation = Activation([
            .init(name: "virtlogd.socket", descriptor: main), .init(name: "log-1", descriptor: pipe),
            .init(name: "virtlogd-admin.socket", descriptor: admin),
        ])
        #expect(activation.hasSockets)
        #expect(activation.claimStored().map(\.name) == ["log-1"])
        #expect(activation.claim(unit: "virtlogd.socket", path: "/x").map(\.rawValue) == [main.rawValue])
        #expect(throws: VirtError.self) { try activation.finish() }
        #expect(activation.claim(unit: "virtlogd-admin.socket", path: "/y").map(\.rawValue) == [admin.rawValue])
        try activation.finish()
    }

    @Test func `without names a socket is known by its path`() throws {
        let directory = TemporaryDirectory()
        var activation = Activation([.init(name: "", descriptor: try listening(directory, "main"))])
        #expect(activation.claim(unit: "virtlogd.socket", path: "\(directory.path)/other").isEmpty)
        #expect(activation.claim(unit: "virtlogd.socket", path: "\(directory.path)/main").count == 1)
    }

    @Test func `stored descriptors alone are no activation`() throws {
        let activation = Activation([.init(name: "lock-1", descriptor: try other())])
        #expect(!activation.hasSockets)
    }
}
