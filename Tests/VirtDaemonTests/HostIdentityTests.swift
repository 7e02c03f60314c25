import Testing
import VirtCore
import VirtOS

@testable import VirtDaemon

@Suite struct HostIdentityTests {
    private let directory = TemporaryDirectory()
    private var paths: DaemonPaths { DaemonPaths(root: directory.path) }

    @Test func `the first daemon makes the token and the others read it`() throws {
        let token = try HostIdentity.systemToken(paths)
        #expect(token.utf8.count == 32)
        #expect(token.allSatisfy { $0.isHexDigit })
        #expect(try HostIdentity.systemToken(paths) == token)
        #expect(try directory.read("run/libvirt/common/system.token") == token)
    }

    @Test(arguments: ["short", String(repeating: "a", count: 33)])
    func `a token file of another size is an error`(content: String) throws {
        try directory.write("run/libvirt/common/system.token", content)
        #expect(throws: VirtError.self) { try HostIdentity.systemToken(paths) }
    }
}
