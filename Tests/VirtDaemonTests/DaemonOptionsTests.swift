import Testing

@testable import VirtDaemon

/// getopt_long's state is global: one at a time.
@Suite(.serialized) struct DaemonOptionsTests {
    private func parse(_ arguments: String...) -> DaemonOptions.Outcome {
        DaemonOptions.parse(["virtlogd"] + arguments)
    }

    private func options(_ change: (inout DaemonOptions) -> Void) -> DaemonOptions.Outcome {
        var options = DaemonOptions()
        change(&options)
        return .run(options)
    }

    @Test func `short, long, joined and abbreviated options are one`() {
        let expected = options {
            $0.isVerbose = true
            $0.isDaemon = true
            $0.timeout = 120
            $0.configPath = "/c"
            $0.pidPath = "/p"
        }
        #expect(parse("-v", "-d", "-t", "120", "-f", "/c", "-p", "/p") == expected)
        #expect(parse("--verbose", "--daemon", "--timeout", "120", "--config=/c", "--pid-file", "/p") == expected)
        #expect(parse("-vdt120", "-f/c", "--pid=/p") == expected)
        #expect(parse() == .run(DaemonOptions()))
    }

    @Test func `a root directory goes before all paths and must be absolute`() {
        #expect(parse("--root", "/tmp/swarm") == options { $0.root = "/tmp/swarm" })
        #expect(parse("--root", "swarm") == .failure("--root needs an absolute path"))
    }

    @Test(arguments: ["abc", "-1", "2147484", "99999999999", "", "5x"])
    func `timeouts outside libvirt's range are refused`(text: String) {
        #expect(parse("-t", text) == .failure("Invalid value for timeout"))
    }

    @Test func `the edges of the timeout's range are taken`() {
        #expect(parse("-t", "2147483") == options { $0.timeout = 2_147_483 })
        #expect(parse("-t", "0") == options { $0.timeout = 0 })
    }

    @Test func `help and version count before what follows`() {
        #expect(parse("-vV") == .version)
        #expect(parse("--help", "extra") == .help)
    }

    @Test(arguments: [["--bogus"], ["-x"], ["--ver"], ["-f"], ["--help=3"]])
    func `wrong options end in the usage`(arguments: [String]) {
        #expect(DaemonOptions.parse(["virtlogd"] + arguments) == .usage)
    }

    @Test func `arguments that are no options are refused`() {
        #expect(parse("-v", "extra") == .failure("unexpected, non-option, command line arguments"))
    }

    @Test func `help names the daemon's own files`() {
        let names = DaemonFileNames(name: "virtproxyd", socketPrefix: "libvirt", hasReadOnlySocket: true)
        let text = DaemonOptions.help(
            program: "virtproxyd", title: "libvirt proxy daemon", paths: DaemonPaths(root: "/r"), names: names)
        for line in [
            "  virtproxyd [options]", "      /r/etc/libvirt/virtproxyd.conf", "      /r/run/libvirt/libvirt-sock",
            "      /r/run/libvirt/libvirt-sock-ro", "      /r/run/virtproxyd.pid",
        ] {
            #expect(text.split(separator: "\n").contains { $0 == line }, "\(line)")
        }
    }
}

@Suite struct DaemonPathsTests {
    @Test func `the system's paths are all below the root`() {
        let paths = DaemonPaths(root: "/tmp/r/")
        #expect(paths.runLibvirt == "/tmp/r/run/libvirt")
        #expect(paths.etcLibvirt == "/tmp/r/etc/libvirt")
        #expect(paths.varLibLibvirt == "/tmp/r/var/lib/libvirt")
        #expect(paths.pidFile("virtqemud") == "/tmp/r/run/virtqemud.pid")
        #expect(paths.path("/dev/kvm") == "/tmp/r/dev/kvm")
        #expect(DaemonPaths().pidFile("virtlogd") == "/run/virtlogd.pid")
    }

    @Test func `a session's paths follow the XDG variables, or the home directory`() {
        let set = ["XDG_RUNTIME_DIR": "/run/user/5", "XDG_CONFIG_HOME": "/c", "HOME": "/h"]
        let paths = DaemonPaths(session: true) { set[$0] }
        #expect(paths.runLibvirt == "/run/user/5/libvirt")
        #expect(paths.etcLibvirt == "/c/libvirt")
        #expect(paths.varCacheLibvirt == "/h/.cache/libvirt")
        #expect(paths.pidFile("virtqemud") == "/run/user/5/libvirt/virtqemud.pid")
    }
}
