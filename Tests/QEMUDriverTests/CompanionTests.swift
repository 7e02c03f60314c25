import Glibc
import QEMUCommand
import Testing
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

@testable import QEMUDriver

@Suite struct CompanionTests {
    private let paths = DriverPaths(DaemonPaths(root: "/r"))
    private let uuid = UUID("8c1d8a2e-54c0-4f5a-9c1b-0e6d6f0f4b03")

    private func devices(_ text: String) throws -> Domain {
        try Domain.parse(
            "<domain type='qemu'><name>web</name><memory>1</memory><os><type>hvm</type></os><devices>\(text)</devices></domain>"
        )
    }

    private func tpm(_ backend: String) throws -> EmulatedTPM {
        let domain = try devices("<tpm model='tpm-tis'>\(backend)</tpm>")
        let tpm = try #require(domain.devices.tpms.first)
        return EmulatedTPM(tpm, paths, name: "web", uuid: try #require(uuid), socket: "/s.sock")
    }

    // MARK: TPM emulators

    @Test func `swtpm gets libvirt's places`() throws {
        let emulated = try tpm("<backend type='emulator' version='2.0'/>")
        let storage = "/r/var/lib/libvirt/swtpm/8c1d8a2e-54c0-4f5a-9c1b-0e6d6f0f4b03/tpm2"
        #expect(emulated.storage == storage)
        #expect(emulated.log == "/r/var/log/swtpm/libvirt/qemu/web-swtpm.log")
        #expect(
            emulated.emulator(keys: nil) == [
                "socket", "--ctrl", "type=unixio,path=/s.sock,mode=0600", "--tpmstate", "dir=\(storage),mode=0600",
                "--log", "file=\(emulated.log)", "--terminate", "--tpm2",
            ])
        #expect(
            emulated.setUp(key: nil, forSavedState: false) == [
                "--tpm2", "--tpm-state", storage, "--vmid", "web:8c1d8a2e-54c0-4f5a-9c1b-0e6d6f0f4b03", "--logfile",
                emulated.log, "--createek", "--create-ek-cert", "--create-platform-cert", "--lock-nvram",
                "--not-overwrite",
            ])
        #expect(emulated.setUp(key: nil, forSavedState: true) == ["--tpm2", "--tpm-state", storage, "--overwrite"])
        #expect(emulated.reconfiguration(key: nil) == nil)
        let companion = Companion.tpm(paths, name: "web", id: 7)
        #expect(companion.pidFile == "/r/run/libvirt/qemu/swtpm/7-web-swtpm.pid")
        #expect(companion.socket == "/r/run/libvirt/qemu/swtpm/7-web-swtpm.sock")
    }

    @Test func `a passphrase comes by descriptors`() throws {
        let emulated = try tpm(
            """
            <backend type='emulator' version='2.0'><encryption secret='11111111-2222-3333-4444-555555555555'/>
            <active_pcr_banks><sha1/><sha512/></active_pcr_banks></backend>
            """)
        let arguments = emulated.emulator(keys: (state: 30, migration: 31))
        #expect(
            Array(arguments.suffix(4)) == [
                "--key", "pwdfd=30,mode=aes-256-cbc", "--migration-key", "pwdfd=31,mode=aes-256-cbc",
            ])
        #expect(
            emulated.reconfiguration(key: 30) == [
                "--tpm2", "--pwdfile-fd", "30", "--cipher", "aes-256-cbc", "--tpm-state", emulated.storage, "--logfile",
                emulated.log, "--pcr-banks", "sha1,sha512", "--reconfigure",
            ])
    }

    @Test func `an old TPM has a state of its own`() throws {
        let emulated = try tpm("<backend type='emulator' version='1.2'/>")
        #expect(emulated.storage.hasSuffix("/tpm1.2"))
        #expect(!emulated.emulator(keys: nil).contains("--tpm2"))
        #expect(emulated.setUp(key: nil, forSavedState: false).first == "--tpm-state")
    }

    // MARK: Others

    @Test func `virtiofsd is told what the document says`() throws {
        let domain = try devices(
            """
            <filesystem type='mount'><driver type='virtiofs'/><binary path='/v' xattr='on'><cache mode='always'/>
            <sandbox mode='chroot'/><lock posix='on' flock='off'/><thread_pool size='16'/></binary>
            <source dir='/a,b'/><target dir='t'/></filesystem>
            """)
        let filesystem = try #require(domain.devices.filesystems.first)
        #expect(
            filesystem.daemonArguments(descriptor: 30) == [
                "--fd=30", "-o", "source=/a,,b,cache=always,sandbox=chroot,xattr,no_flock,posix_lock",
                "--thread-pool-size=16",
            ])
    }

    @Test func `a guest's companions are found by their devices`() throws {
        var domain = try devices(
            """
            <filesystem type='mount'><driver type='virtiofs'/><source dir='/a'/><target dir='t'/></filesystem>
            <filesystem type='mount'><driver type='virtiofs'/><source socket='/s'/><target dir='u'/></filesystem>
            <filesystem type='mount'><source dir='/b'/><target dir='v'/></filesystem>
            <tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>
            <video><driver name='vhostuser'/><model type='virtio'/></video>
            """)
        domain.assignAliases()
        let found = domain.companions(paths, id: 3, library: "/lib")
        #expect(
            found.map(\.pidFile) == [
                "/r/run/libvirt/qemu/3-web-video0-vhost-user-gpu.pid", "/r/run/libvirt/qemu/3-web-fs0-fs.pid",
                "/r/run/libvirt/qemu/swtpm/3-web-swtpm.pid",
            ])
        #expect(found.map(\.socket) == [nil, "/lib/fs0-fs.sock", "/r/run/libvirt/qemu/swtpm/3-web-swtpm.sock"])
    }

    @Test func `a host without a device that renders says so`() throws {
        let error = #expect(throws: VirtError.self) { _ = try RenderNode.first("/nonexistent/dri") }
        #expect(error?.message == "cannot open directory '/nonexistent/dri': No such file or directory")
    }

    @Test func `only a socket of the right owner changes hands`() throws {
        let directory = "/tmp/companion-\(UUID.random())"
        try FileSystem.makeDirectories(directory)
        defer { try? FileSystem.removeTree(directory) }
        let socket = try UnixSocket.listen(path: "\(directory)/a.sock", mode: 0o600, backlog: 1)
        try FileSystem.giveSocket("\(directory)/a.sock", of: geteuid(), to: geteuid(), getegid())
        try FileSystem.makeLink("\(directory)/link", to: "a.sock")
        try FileSystem.atomicWrite("\(directory)/file", [], mode: 0o600)
        for (name, owner) in [("link", geteuid()), ("file", geteuid()), ("a.sock", geteuid() &+ 1)] {
            #expect(throws: VirtError.self, "\(name)") {
                try FileSystem.giveSocket("\(directory)/\(name)", of: owner, to: geteuid(), getegid())
            }
        }
        _ = socket
    }

    @Test func `a pid file that leads elsewhere tells nothing`() throws {
        let directory = "/tmp/companion-\(UUID.random())"
        try FileSystem.makeDirectories(directory)
        defer { try? FileSystem.removeTree(directory) }
        try FileSystem.makeLink("\(directory)/link", to: "/proc/self/exe")
        #expect(PidFile.holder("\(directory)/link") == nil)
    }

    @Test func `a companion is found by its pid file and ended with its children`() async throws {
        let directory = "/tmp/companion-\(UUID.random())"
        try FileSystem.makeDirectories(directory)
        defer { try? FileSystem.removeTree(directory) }
        let companion = Companion(title: "sleeper", pidFile: "\(directory)/a.pid", socket: "\(directory)/a.sock")
        let loop = EventLoopGroup(count: 1, name: "companion").next()
        let script = "sleep 600 & echo $! > \(directory)/child.new; mv \(directory)/child.new \(directory)/child; wait"
        let process = try await companion.start(ChildProcess("/bin/sh", ["-c", script]), on: loop)
        #expect(await companion.runningPID() == process.pid)
        while !FileSystem.exists("\(directory)/child"), process.exitStatus == nil {
            try await loop.sleep(for: .milliseconds(10))
        }
        let text = String(decoding: try FileSystem.read("\(directory)/child"), as: UTF8.self)
        let child = try #require(Int32(text.prefix { $0 != "\n" }))
        let watched = try RunningChild(adopting: child, on: loop)
        await companion.stop(on: loop)
        #expect(await companion.runningPID() == nil)
        #expect(!FileSystem.exists(companion.pidFile))
        #expect(try await watched.waitExit(timeout: .seconds(10)) != nil)
        // Once more is no harm.
        await companion.stop(on: loop)
    }
}
