import Glibc
import Testing

@testable import VirtOS

@Suite struct HostInfoTests {
    @Test func `start times tell processes apart`() async throws {
        let own = try #require(HostInfo.startTime(of: getpid()))
        #expect(HostInfo.startTime(of: getpid()) == own)
        #expect(HostInfo.startTime(of: 0x3fff_fff0) == nil)
        // A name with spaces and parentheses must not confuse the fields.
        let directory = try TemporaryDirectory()
        let path = directory.file("a) b (c")
        try FileSystem.makeLink(path, to: "/bin/sleep")
        let child = try ChildProcess.spawn(ChildProcess(path, ["600"]))
        #expect(try #require(HostInfo.startTime(of: child.pid)) >= own)
        child.kill(SIGKILL)
        _ = await child.waitExit()
    }

    @Test func `users and groups have names and numbers`() throws {
        #expect(HostInfo.userName(0) == "root")
        #expect(HostInfo.groupName(0) == "root")
        #expect(HostInfo.userName(3_999_999_999) == nil)
        #expect(try #require(HostInfo.user(named: "root")).uid == 0)
        #expect(HostInfo.user(named: "+42")?.uid == 42)
        #expect(HostInfo.user(named: "no such user")?.uid == nil)
        #expect(HostInfo.group(named: "root") == 0)
        #expect(HostInfo.group(named: "77") == 77)
        #expect(HostInfo.group(named: "no such group") == nil)
        #expect(HostInfo.groups(ofUser: "root", gid: 0).contains(0))
    }

    @Test func `the machine has processors and a name`() {
        #expect(HostInfo.processors >= 1)
        #expect(!HostInfo.hostName.isEmpty)
    }
}
