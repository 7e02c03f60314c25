import Glibc
import VirtCore
import VirtModel
import VirtOS

/// What swtpm and swtpm_setup are told of a guest's TPM. All of it is libvirt's: the other side's daemon finds the state.
struct EmulatedTPM: Sendable {
    let tpm: TPM
    let guest: String
    let uuid: UUID
    /// The TPM's state, /var/lib/libvirt/swtpm/UUID/tpm2.
    let storage: String
    let log: String
    let socket: String

    init(_ tpm: TPM, _ paths: DriverPaths, name: String, uuid: UUID, socket: String) {
        self.tpm = tpm
        guest = name
        self.uuid = uuid
        storage = "\(Self.directory(paths, uuid))/\(tpm.version == .v1 ? "tpm1.2" : "tpm2")"
        log = "\(paths.swtpmLog)/\(name)-swtpm.log"
        self.socket = socket
    }

    /// The state of all TPMs that a guest had, whatever their versions.
    static func directory(_ paths: DriverPaths, _ uuid: UUID) -> String { "\(paths.swtpmStorage)/\(uuid)" }

    private var isVersion2: Bool { tpm.version != .v1 }
    private var version: [String] { isVersion2 ? ["--tpm2"] : [] }

    /// swtpm_setup for a TPM that is new: keys and certificates, or an empty one that is about to get a saved state.
    func setUp(key: Int32?, forSavedState: Bool) -> [String] {
        let start = version + encryption(key) + ["--tpm-state", storage]
        if forSavedState { return start + ["--overwrite"] }
        return start + [
            "--vmid", "\(guest):\(uuid)", "--logfile", log, "--createek", "--create-ek-cert", "--create-platform-cert",
            "--lock-nvram", "--not-overwrite",
        ]
    }

    /// swtpm_setup for a TPM whose banks the document names; nil if it leaves them as they are.
    func reconfiguration(key: Int32?) -> [String]? {
        guard isVersion2, !tpm.activePCRBanks.isEmpty else { return nil }
        return version + encryption(key) + [
            "--tpm-state", storage, "--logfile", log, "--pcr-banks", tpm.activePCRBanks.joined(separator: ","),
            "--reconfigure",
        ]
    }

    private func encryption(_ key: Int32?) -> [String] {
        key.map { ["--pwdfile-fd", String($0), "--cipher", "aes-256-cbc"] } ?? []
    }

    /// swtpm itself, which ends when QEMU lets go of it.
    ///
    /// - Parameter keys: where it reads the passphrases for its state at rest and on the way.
    func emulator(keys: (state: Int32, migration: Int32)?) -> [String] {
        var arguments = [
            "socket", "--ctrl", "type=unixio,path=\(socket),mode=0600", "--tpmstate", "dir=\(storage),mode=0600",
            "--log", "file=\(log)", "--terminate",
        ]
        arguments += version
        if let keys {
            arguments += ["--key", "pwdfd=\(keys.state),mode=aes-256-cbc"]
            arguments += ["--migration-key", "pwdfd=\(keys.migration),mode=aes-256-cbc"]
        }
        return arguments
    }
}
