import QEMUMonitor
import Synchronization
import VirtCore
import VirtModel
import VirtOS

/// The TPM emulator that is installed, swtpm.
struct SoftwareTPM: Sendable, Equatable {
    /// Its three programs are there.
    var isInstalled = false
    /// The versions of the standard that it can set up, as domain documents name them.
    var versions: [String] = []

    /// The answer of a swtpm_setup, good as long as that program is the same.
    private static let known = Mutex<(path: String, time: Int64, versions: [String])?>(nil)

    static func find() async throws -> SoftwareTPM {
        let setup: (path: String, time: Int64)? = try await BlockingPool.shared.run {
            guard let path = ChildProcess.find("swtpm_setup"), ChildProcess.find("swtpm") != nil,
                ChildProcess.find("swtpm_ioctl") != nil, let time = HostFacts.changeTime(path)
            else { return nil }
            return (path, time)
        }
        guard let setup else { return SoftwareTPM() }
        if let known = known.withLock({ $0 }), known.path == setup.path, known.time == setup.time {
            return SoftwareTPM(isInstalled: true, versions: known.versions)
        }
        let output = try await ChildProcess.run(setup.path, ["--print-capabilities"], timeout: .seconds(10))
        let versions = output.status.isSuccess ? versions(output.stdout) : []
        known.withLock { $0 = (setup.path, setup.time, versions) }
        return SoftwareTPM(isInstalled: true, versions: versions)
    }

    /// What a guest's definition may ask for: a program that does not say its versions has both.
    var forDefinitions: Set<TPM.Version> {
        let named = Set(versions.compactMap { TPM.Version(rawValue: $0) })
        return isInstalled && named.isEmpty ? [.v1, .v2] : named
    }

    /// What `swtpm_setup --print-capabilities` says; one that is too old for it says nothing.
    static func versions(_ output: [UInt8]) -> [String] {
        let features = (try? JSONParser.parse(output))?["features"]?.array ?? []
        return ["1.2", "2.0"].filter { features.contains(.string("tpm-" + $0)) }
    }
}
