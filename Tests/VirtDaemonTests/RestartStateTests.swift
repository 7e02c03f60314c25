import Glibc
import Testing
import VirtCore
import VirtOS
import VirtRPC

@testable import VirtDaemon

@Suite struct RestartStateTests {
    /// As libvirt writes it, with what only older or newer ones have.
    private static let document = """
        {
          "daemon": {
            "servers": {
              "virtlogd": {
                "min_workers": 0, "max_workers": 0, "priority_workers": 0, "max_clients": 99,
                "max_anonymous_clients": 98, "keepaliveInterval": 4294967295, "keepaliveCount": 0,
                "next_client_id": 7, "unknown": [null],
                "services": [
                  {"auth": 0, "readonly": false, "nrequests_client_max": 1,
                   "socks": [{"fd": 4, "errfd": -1, "pid": 0, "isClient": false, "unlinkUNIX": true}]}
                ],
                "clients": [
                  {"id": 6, "auth": 0, "auth_pending": false, "readonly": false, "nrequests_max": 1,
                   "conn_time": 1700000000,
                   "sock": {"fd": 9, "errfd": -1, "pid": 0, "isClient": true, "unlinkUNIX": false},
                   "privateData": {"ownerPid": 12}}
                ]
              }
            }
          },
          "magic": "4711",
          "handler": {"files": []}
        }
        """

    private var state: RestartState {
        let limits = ServerLimits(
            maxClients: 10, maxAnonymousClients: 9, maxClientRequests: 2, keepaliveInterval: -1, keepaliveCount: 3)
        let service = SavedService(descriptor: 5, isReadOnly: true, authentication: .polkit, isOwn: false)
        let clients = [
            SavedClient(
                id: 3, descriptor: 8, isReadOnly: true, authentication: .polkit, isAuthenticated: false,
                connectTime: -5, input: [0, 1, 0xFF], privateData: ["a": [1, "ä\n"]]),
            SavedClient(
                id: .max, descriptor: 9, isReadOnly: false, authentication: .none, isAuthenticated: true,
                connectTime: 0),
        ]
        let server = SavedServer(limits: limits, nextID: .max, services: [service], clients: clients)
        let empty = SavedServer(limits: limits, nextID: 1, services: [service])
        return RestartState(
            magic: "12", servers: ["virtlockd": server, "admin": empty],
            driver: ["lockspaces": [], "defaultLockspace": ["resources": []]])
    }

    @Test func `libvirt's document is read`() throws {
        let state = try RestartState(parsing: Array(Self.document.utf8))
        #expect(state.magic == "4711")
        #expect(state.driver == ["handler": ["files": []]])
        let server = try #require(state.servers["virtlogd"])
        #expect(
            server.limits
                == ServerLimits(
                    maxClients: 99, maxAnonymousClients: 98, maxClientRequests: 1, keepaliveInterval: -1,
                    keepaliveCount: 0))
        #expect(server.nextID == 7)
        #expect(
            server.services
                == [SavedService(descriptor: 4, isReadOnly: false, authentication: .none, isOwn: true)])
        #expect(
            server.clients == [
                SavedClient(
                    id: 6, descriptor: 9, isReadOnly: false, authentication: .none, isAuthenticated: true,
                    connectTime: 1_700_000_000, privateData: ["ownerPid": 12])
            ])
    }

    @Test func `what is written is read again`() throws {
        #expect(try RestartState(parsing: state.encoded()) == state)
    }

    @Test func `what is written has all that libvirt asks for`() throws {
        let document = try JSONParser.parse(state.encoded())
        let server = try #require(document["daemon"]?["servers"]?["virtlockd"]?.object)
        #expect(
            server.members.map(\.key) == [
                "min_workers", "max_workers", "priority_workers", "max_clients", "max_anonymous_clients",
                "keepaliveInterval", "keepaliveCount", "next_client_id", "services", "clients",
            ])
        #expect(server["keepaliveInterval"] == 4_294_967_295)
        let socket: JSONValue = ["fd": 5, "errfd": -1, "pid": 0, "isClient": false, "unlinkUNIX": false]
        #expect(
            server["services"] == [
                ["auth": 2, "readonly": true, "nrequests_client_max": 2, "socks": [socket]]
            ])
        let client = try #require(server["clients"]?.array?.first?.object)
        #expect(
            client.members.map(\.key) == [
                "id", "auth", "auth_pending", "readonly", "nrequests_max", "conn_time", "sock", "privateData", "input",
            ])
    }

    @Test func `a truncated document is refused wherever it ends`() {
        let bytes = Array(Self.document.utf8)
        for count in bytes.indices {
            #expect(throws: VirtError.self) { try RestartState(parsing: Array(bytes[..<count])) }
        }
    }

    @Test(arguments: [
        ("\"magic\": \"4711\"", "\"magic\": 4711"), ("\"magic\"", "\"magik\""),
        ("\"fd\": 4", "\"fd\": 4294967296"), ("\"fd\": 4", "\"fd\": 1.5"), ("\"fd\": 9", "\"fd\": null"),
        ("\"max_clients\": 99", "\"max_clients\": -1"),
        ("\"max_clients\": 99", "\"max_clients\": 99999999999999999999"),
        ("\"keepaliveCount\": 0", "\"keepaliveCount\": {}"), ("\"clients\": [", "\"clients\": [7,"),
        ("\"auth\": 0, \"readonly\"", "\"auth\": 9, \"readonly\""), ("\"services\"", "\"service\""),
        ("\"privateData\": {\"ownerPid\": 12}", "\"privateData\": []"), ("\"socks\": [", "\"socks\": [[],"),
        ("\"sock\": {", "\"input\": \"0g\", \"sock\": {"), ("\"sock\": {", "\"input\": \"0\", \"sock\": {"),
        ("\"virtlogd\": {", "\"other\": 1, \"virtlogd\": {"), ("\"servers\": {", "\"servers\": [], \"x\": {"),
    ])
    func `a document that makes no sense is refused`(part: String, instead: String) {
        let text = Self.document
        guard let range = text.firstRange(of: part) else { return #expect(Bool(false), "\(part) is not there") }
        #expect(throws: VirtError.self) {
            try RestartState(parsing: Array(text.replacingCharacters(in: range, with: instead).utf8))
        }
    }

    @Test(arguments: ["", "[]", "{\"magic\": ", "{\"magic\": \"PID\"}", "\u{0}", "{}"])
    func `a file that is refused is gone`(text: String) throws {
        let directory = TemporaryDirectory()
        try directory.write("state", text.replacing("PID", with: String(getpid())))
        #expect(throws: VirtError.self) { try InheritedState.take("\(directory.path)/state") }
        #expect(!FileSystem.exists("\(directory.path)/state"))
    }

    @Test func `a file of another process is ignored and gone`() throws {
        let directory = TemporaryDirectory()
        try directory.write("state", Self.document.replacing("4711", with: String(getpid() + 1)))
        #expect(try InheritedState.take("\(directory.path)/state") == nil)
        #expect(!FileSystem.exists("\(directory.path)/state"))
        #expect(try InheritedState.take("\(directory.path)/state") == nil)
    }

    @Test func `sockets are taken over, and a client without one is lost alone`() throws {
        let directory = TemporaryDirectory()
        let listening = try UnixSocket.listen(path: "\(directory.path)/sock", mode: 0o600)
        let pair = try UnixSocket.pair()
        let (first, second) = (dup(listening.rawValue), dup(pair.first.rawValue))
        let text = Self.document.replacing("4711", with: String(getpid()))
            .replacing("\"fd\": 4", with: "\"fd\": \(first)").replacing("\"fd\": 9", with: "\"fd\": \(second)")
        try directory.write("state", text)
        let state = try #require(try InheritedState.take("\(directory.path)/state"))
        let server = try #require(state.servers["virtlogd"])
        #expect(server.services.map(\.descriptor.rawValue) == [first])
        #expect(server.clients.map(\.descriptor.rawValue) == [second])
        #expect(fcntl(first, F_GETFD) == FD_CLOEXEC)
        #expect(fcntl(second, F_GETFL) & O_NONBLOCK != 0)
        // Both are this process's now: who says that they were left to it again is not believed.
        try directory.write("state", text)
        #expect(throws: VirtError.self) { try InheritedState.take("\(directory.path)/state") }
        let again = dup(listening.rawValue)
        try directory.write(
            "state",
            Self.document.replacing("4711", with: String(getpid()))
                .replacing("\"fd\": 4", with: "\"fd\": \(again)").replacing("\"fd\": 9", with: "\"fd\": 2"))
        let alone = try #require(try InheritedState.take("\(directory.path)/state")?.servers["virtlogd"])
        #expect(alone.services.count == 1)
        #expect(alone.clients.isEmpty)
    }

    @Test func `only what was left open as what it is said to be can be claimed`() throws {
        let pipe = try OwnedDescriptor.pipe()
        let reading = dup(pipe.reading.rawValue)
        for number in [-1, 0, 1, 2, pipe.reading.rawValue, .max] {
            #expect(throws: VirtError.self) { try InheritedDescriptor.claim(number, .pipe) }
        }
        for kind in [InheritedDescriptor.Kind.listeningSocket, .connectedSocket, .file] {
            #expect(throws: VirtError.self) { try InheritedDescriptor.claim(reading, kind) }
        }
        #expect(try InheritedDescriptor.claim(reading, .pipe).rawValue == reading)
        let null = open("/dev/null", O_RDONLY)
        #expect(throws: VirtError.self) { try InheritedDescriptor.claim(null, .file) }
        close(null)
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}
