import QEMUMonitor
import Synchronization
import VirtCore
import VirtModel
import VirtOS

/// The TPM emulator that is installed, swtpm.
struct SoftwareTPM: Sendable, Equatable {
    /// Where its programs are; nil unless all three are there.
    var paths: Paths?
    /// What swtpm_setup says that it can do ("tpm-2.0"); one that is too old to say has nothing.
    var features: Set<String> = []

    struct Paths: Sendable, Equatable {
        var setup: String
        var emulator: String
    }

    var isInstalled: Bool { paths != nil }

    /// The versions of the standard that it can set up, as domain documents name them.
    var versions: [String] { ["1.2", "2.0"].filter { features.contains("tpm-" + $0) } }

    /// The answer of a swtpm_setup, good as long as that program is the same.
    private static let known = Mutex<(path: String, time: Int64, features: Set<String>)?>(nil)

    static func find() async throws -> SoftwareTPM {
        let found: (paths: Paths, time: Int64)? = try await BlockingPool.shared.run {
            guard let setup = ChildProcess.find("swtpm_setup"), let emulator = ChildProcess.find("swtpm"),
                ChildProcess.find("swtpm_ioctl") != nil, let time = HostFacts.changeTime(setup)
            else { return nil }
            return (Paths(setup: setup, emulator: emulator), time)
        }
        guard let (paths, time) = found else { return SoftwareTPM() }
        if let known = known.withLock({ $0 }), known.path == paths.setup, known.time == time {
            return SoftwareTPM(paths: paths, features: known.features)
        }
        let features = try await capabilities(paths.setup, ["--print-capabilities"])
        known.withLock { $0 = (paths.setup, time, features) }
        return SoftwareTPM(paths: paths, features: features)
    }

    private static func capabilities(_ program: String, _ arguments: [String]) async throws -> Set<String> {
        let output = try await ChildProcess.run(program, arguments, timeout: .seconds(10))
        return output.status.isSuccess ? features(output.stdout) : []
    }

    /// What a guest's definition may ask for: a program that does not say its versions has both.
    var forDefinitions: Set<TPM.Version> {
        let named = Set(versions.compactMap { TPM.Version(rawValue: $0) })
        return isInstalled && named.isEmpty ? [.v1, .v2] : named
    }

    /// Fails where swtpm_setup is too old for a passphrase.
    func requireSetup(_ feature: String) throws(VirtError) {
        guard !features.contains(feature) else { return }
        throw VirtError(
            .argumentUnsupported, .none,
            "\(paths?.setup ?? "swtpm_setup") does not support passing a passphrase using a file descriptor")
    }

    /// The same for swtpm.
    func requireEmulator(_ feature: String) async throws {
        let program = paths?.emulator ?? "swtpm"
        guard try await !Self.capabilities(program, ["socket", "--print-capabilities"]).contains(feature) else {
            return
        }
        throw VirtError(
            .argumentUnsupported, .none, "\(program) does not support passing passphrase via file descriptor")
    }

    /// What `--print-capabilities` says; a program that is too old for it says nothing.
    static func features(_ output: [UInt8]) -> Set<String> {
        let features = (try? JSONParser.parse(output))?["features"]?.array ?? []
        return Set(features.compactMap(\.string))
    }
}
