import Glibc
import Synchronization
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

@testable import StorageDriver

/// A directory that is gone after the test.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/storage-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw VirtError.system(errno, .none, "mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileSystem.removeTree(path) }

    func makeDirectory(_ name: String) throws -> String {
        try FileSystem.makeDirectories("\(path)/\(name)")
        return "\(path)/\(name)"
    }
}

/// Tools in memory: notes what is run; a new image becomes a small file.
final class FakeTools: ToolRunner {
    private let state = Mutex<(commands: [String], failure: VirtError?)>(([], nil))

    var commands: [String] { state.withLock { $0.commands } }

    /// The next commands fail like this.
    func fail(with error: VirtError?) { state.withLock { $0.failure = error } }

    func run(_ program: String, _ arguments: [String], umask: UInt32?) async throws -> [UInt8] {
        let failure = state.withLock { state in
            state.commands.append(([program] + arguments).joined(separator: " "))
            return state.failure
        }
        if program == "qemu-img", arguments[0] == "create", let path = arguments.first(where: { $0.hasPrefix("/") }) {
            try FileSystem.atomicWrite(path, Header.qcow2(version: 2, size: 16 << 20).bytes)
        }
        if let failure { throw failure }
        return []
    }
}

/// A driver whose files are below a scratch directory.
struct Bench {
    let scratch: Scratch
    let tools = FakeTools()
    let files: StorageFiles
    let driver: StorageDriver
    /// Where pool `p` lives.
    let place: String

    init(_ scratch: Scratch? = nil) throws {
        self.scratch = try scratch ?? Scratch()
        files = StorageFiles(DaemonPaths(root: self.scratch.path))
        place = self.scratch.path + "/p"
        driver = Self.driver(files, tools)
    }

    static func driver(_ files: StorageFiles, _ tools: FakeTools) -> StorageDriver {
        let environment = BackendEnvironment(
            stateDirectory: files.stateDirectory,
            secrets: { _ in throw VirtError(.noSecret, .secret, "no secret with matching uuid") }, tools: tools)
        return StorageDriver(files: files, backends: StorageBackends(environment))
    }

    func xml(_ name: String = "p", target: String? = nil, uuid: String? = nil) -> String {
        let id = uuid.map { "<uuid>\($0)</uuid>" } ?? ""
        return "<pool type='dir'><name>\(name)</name>\(id)<target><path>\(target ?? place)</path></target></pool>"
    }

    /// Pool `p`, defined, built and started.
    func startedPool() async throws -> PoolObject {
        let pool = try await driver.define(xml(), flags: 0)
        try await driver.build(pool, flags: 0)
        try await driver.start(pool, flags: 0)
        return pool
    }

    static func volume(_ name: String, _ capacity: UInt64, _ more: String = "") -> String {
        "<volume><name>\(name)</name><capacity>\(capacity)</capacity>\(more)</volume>"
    }

    func read(_ name: String) throws -> [UInt8] { try FileSystem.read("\(place)/\(name)") }
    func write(_ name: String, _ bytes: [UInt8]) throws { try FileSystem.atomicWrite("\(place)/\(name)", bytes) }
    func exists(_ name: String) -> Bool { FileSystem.exists("\(place)/\(name)") }
}

/// The message of the error that `body` throws; nil: none.
func message(_ body: () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch {
        return VirtError.text(of: error)
    }
}
