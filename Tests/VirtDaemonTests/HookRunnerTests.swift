import Testing
import VirtCore
import VirtOS

@testable import VirtDaemon

@Suite struct HookRunnerTests {
    private let directory = TemporaryDirectory()
    private var hooks: HookRunner { HookRunner(driver: "qemu", paths: DaemonPaths(root: directory.path)) }

    private func script(_ name: String, _ body: String, mode: UInt32 = 0o755) throws {
        try directory.write("etc/libvirt/hooks/\(name)", "#!/bin/sh\n\(body)\n", mode: mode)
    }

    @Test func `without scripts nothing happens`() async throws {
        try await hooks.run(object: "g1", operation: "prepare", subOperation: "begin")
    }

    @Test func `the script comes first, then those of its directory by name, all with the same arguments and input`()
        async throws
    {
        let log = directory.path + "/log"
        let body = "echo \"${0##*/} $@ $(cat)\" >> \(log)"
        try script("qemu", body)
        try script("qemu.d/20-b", body)
        try script("qemu.d/10-a", body)
        try script("qemu.d/README", body, mode: 0o644)
        try await hooks.run(object: "g 1", operation: "start", subOperation: "begin", input: "<domain/>")
        #expect(
            try directory.read("log") == """
                qemu g 1 start begin - <domain/>
                10-a g 1 start begin - <domain/>
                20-b g 1 start begin - <domain/>

                """)
    }

    @Test func `a script that fails ends the operation with its words`() async throws {
        try script("qemu", "echo no such luck >&2; exit 3")
        try script("qemu.d/a", "touch \(directory.path)/ran")
        let command = "\(directory.path)/etc/libvirt/hooks/qemu g1 prepare begin -"
        let text = "internal error: Child process (\(command)) unexpected exit status 3: no such luck\n"
        await #expect(throws: VirtError(.hookScriptFailed, .hook, text)) {
            try await hooks.run(object: "g1", operation: "prepare", subOperation: "begin")
        }
        #expect(!FileSystem.exists(directory.path + "/ran"))
    }
}
