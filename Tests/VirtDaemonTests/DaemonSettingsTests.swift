import Testing
import VirtCore
import VirtRPC

@testable import VirtDaemon

@Suite struct DaemonSettingsTests {
    private func read(
        _ text: String, _ kind: ConfigKind = .driver, isPrivileged: Bool = true
    ) throws -> (settings: DaemonSettings, warnings: [String]) {
        try DaemonSettings.read(ConfigFile.parse(text, name: "d.conf"), kind: kind, isPrivileged: isPrivileged)
    }

    @Test func `an empty file means libvirt's defaults`() throws {
        let settings = try read("").settings
        #expect(settings.limits == ServerLimits(maxClients: 5000, maxAnonymousClients: 20, maxClientRequests: 5))
        #expect(settings.workers == WorkerNumbers(minimum: 5, maximum: 20, priority: 5))
        #expect(settings.adminWorkers == WorkerNumbers(minimum: 5, maximum: 20, priority: 0))
        #expect(settings.readWrite.authentication == .polkit)
        #expect(settings.readWrite.mode == 0o777)
        #expect(settings.adminMode == 0o700)
        #expect(settings.log.level == nil)
    }

    @Test func `without polkit the socket is the owner's alone`() throws {
        let settings = try read("auth_unix_rw = \"none\"").settings
        #expect(settings.readWrite.mode == 0o700)
        #expect(settings.readWrite.authentication == .none)
        #expect(try read("", isPrivileged: false).settings.readWrite.authentication == .none)
        let open = try read("auth_unix_rw = \"none\"\nunix_sock_rw_perms = \"0770\"\nunix_sock_group = \"0\"").settings
        #expect(open.readWrite.mode == 0o770)
        #expect(open.socketGroup == 0)
    }

    @Test func `virtlogd and virtlockd serve one call of a client at a time, without workers`() throws {
        let settings = try read("max_clients = 7", .lock).settings
        #expect(settings.limits.maxClients == 7)
        #expect(settings.limits.maxClientRequests == 1)
        #expect(settings.workers == WorkerNumbers(minimum: 0, maximum: 0, priority: 0))
        #expect(settings.readWrite.mode == 0o700)
        #expect(try read("max_size = 4000000000\nmax_backups = 3", .log).warnings.isEmpty)
    }

    @Test func `each kind of daemon knows its own keys`() throws {
        #expect(try read("listen_tcp = 1", .proxy).warnings.isEmpty)
        #expect(try read("\nlisten_tcp = 1", .driver).warnings == ["d.conf:2: unknown key 'listen_tcp'"])
        #expect(try read("max_size = 1", .lock).warnings == ["d.conf:1: unknown key 'max_size'"])
    }

    @Test(arguments: [
        "max_clients = \"x\"", "log_level = 9", "auth_unix_rw = \"maybe\"", "unix_sock_rw_perms = \"0999\"",
        "unix_sock_group = \"no such group\"", "host_uuid = \"00000000-0000-0000-0000-000000000000\"",
        "host_uuid_source = \"dice\"", "audit_logging = 2", "access_drivers = [ 1 ]", "access_drivers = [ \"polkit\" ]",
    ])
    func `values that mean nothing are errors`(text: String) {
        #expect(throws: VirtError.self) { try read(text) }
    }

    @Test func `a configured host UUID is the host's`() throws {
        let settings = try read("host_uuid = \"043191c9-6d81-4e91-b185-53d3620e2cfd\"").settings
        #expect(HostIdentity.uuid(settings).description == "043191c9-6d81-4e91-b185-53d3620e2cfd")
    }
}
