import Testing
import VirtCore
import VirtOS

@testable import VirtDaemon

@Suite struct LogSetupTests {
    private let directory = TemporaryDirectory()
    private let system = LogSystem()

    private func setup(isDaemon: Bool = true, isJournalThere: Bool = false, isInteractive: Bool = false) -> LogSetup {
        LogSetup(
            system: system, name: "virtlogd", paths: DaemonPaths(root: directory.path), level: .warning,
            isDaemon: isDaemon, isJournalThere: isJournalThere, isInteractive: isInteractive)
    }

    @Test func `the standard output depends on where the daemon runs`() {
        let file = "3:file:\(directory.path)/var/log/libvirt/virtlogd.log"
        #expect(setup().standard.text == file)
        #expect(setup(isJournalThere: true).standard.text == "3:journald")
        #expect(setup(isDaemon: false, isInteractive: true).standard.text == "3:stderr")
        #expect(setup(isDaemon: false, isJournalThere: true).standard.text == "3:journald")
        #expect(setup(isDaemon: false, isJournalThere: true, isInteractive: true).standard.text == "3:stderr")
    }

    @Test func `an empty setting stands for the standard output, and messages arrive there`() throws {
        try setup().setOutputs("")
        Logger("a.b", system: system).error("hello", line: 5, function: "f")
        let text = try directory.read("var/log/libvirt/virtlogd.log")
        #expect(text.hasSuffix(": error : a.b.f:5 : hello\n"))
        #expect(setup().outputsText.count == 1)
    }

    @Test func `an output that cannot be opened leaves all as it was`() throws {
        let setup = setup()
        try setup.setOutputs("1:file:\(directory.path)/a.log 4:stderr")
        let problem = VirtError.system(2, .none, "failed to open /nonexistent/x")
        #expect(throws: problem) { try setup.setOutputs("1:file:\(directory.path)/b.log 2:file:/nonexistent/x") }
        #expect(setup.outputsText.text == "1:file:\(directory.path)/a.log 4:stderr")
    }

    @Test func `filters are shown as virt-admin gets them from libvirt`() throws {
        let setup = setup()
        #expect(setup.filtersText.text == nil)
        try setup.setFilters("1:qemu 3:util.json")
        #expect(setup.filtersText.text == "1:*qemu* 3:*util.json* ")
        #expect(setup.filtersText.count == 2)
        try setup.setFilters("")
        #expect(setup.filtersText.count == 0)
    }
}
