import QEMUMonitor
import Synchronization
import VirtCore
import VirtModel
import VirtOS

/// What the TPM emulator of this host can do, as it says itself; asked once.
final class SoftwareTPM: Sendable {
    private let known = Mutex<Set<TPM.Version>?>(nil)

    /// Nothing where it is not installed.
    func versions() async -> Set<TPM.Version> {
        if let known = known.withLock({ $0 }) { return known }
        let found = await Self.ask()
        known.withLock { $0 = found }
        return found
    }

    private static func ask() async -> Set<TPM.Version> {
        guard ChildProcess.find("swtpm") != nil, ChildProcess.find("swtpm_setup") != nil else { return [] }
        let output = try? await ChildProcess.run("swtpm", ["socket", "--print-capabilities"], timeout: .seconds(10))
        guard let output, output.status.isSuccess, let answer = try? JSONParser.parse(output.stdout) else { return [] }
        let features = (answer["features"]?.array ?? []).compactMap(\.string)
        let versions = [("tpm-1.2", TPM.Version.v1), ("tpm-2.0", .v2)]
        let named = versions.filter { features.contains($0.0) }.map(\.1)
        // Older ones do not say, and can do both.
        return Set(named.isEmpty ? [.v1, .v2] : named)
    }
}
