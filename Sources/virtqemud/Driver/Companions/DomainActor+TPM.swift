import Glibc
import QEMUCommand
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

/// TPM emulators: swtpm, and what swtpm_setup prepares for it.
extension DomainActor {
    /// How long swtpm may take until it listens; it is a matter of milliseconds.
    private static let patience: Duration = .seconds(10)
    /// Keys and certificates on a machine that is slow or has much else to do.
    private static let setupTimeout: Duration = .seconds(180)
    /// The numbers that swtpm knows its passphrases by.
    private static let keyNumbers: (state: Int32, migration: Int32) = (30, 31)

    func startTPM(_ tpm: TPM, _ plan: inout StartPlan) async throws {
        let companion = Companion.tpm(driver.paths, name: name, id: runtime?.id ?? 0)
        guard let alias = tpm.info.alias, let socket = companion.socket else { throw removedError }
        let programs = try await SoftwareTPM.find()
        guard let paths = programs.paths else {
            throw VirtError(.operationFailed, .none, "Unable to find 'swtpm' binary in $PATH")
        }
        let emulated = EmulatedTPM(tpm, driver.paths, name: name, uuid: uuid, socket: socket)
        await companion.stop(on: loop)
        let key = try await passphrase(of: tpm)
        let isSaved = plan.saved != nil
        try await prepareState(emulated, programs, key, isSaved: isSaved)
        var program = swtpm(paths.emulator)
        program.arguments = emulated.emulator(keys: key == nil ? nil : Self.keyNumbers)
        if let key {
            try await programs.requireEmulator("cmdarg-pwd-fd")
            program.descriptors[Self.keyNumbers.state] = try Self.pipe(key)
            program.descriptors[Self.keyNumbers.migration] = try Self.pipe(key)
        }
        let complaints = try openComplaints()
        program.descriptors[2] = complaints
        let process = try await start(companion, program, &plan)
        try await waitForSocket(socket, process, complaints)
        plan.environment.tpmSockets[alias] = socket
    }

    private func swtpm(_ path: String) -> ChildProcess {
        var program = ChildProcess(path)
        let configuration = driver.configuration
        if !driver.paths.isSession {
            program.user = .init(
                uid: configuration.swtpmUser, gid: configuration.swtpmGroup, groups: [configuration.swtpmGroup])
        }
        return program
    }

    // MARK: The state

    private func prepareState(
        _ emulated: EmulatedTPM, _ programs: SoftwareTPM, _ key: [UInt8]?, isSaved: Bool
    ) async throws {
        let (paths, configuration) = (driver.paths, driver.configuration)
        let isNew = try await BlockingPool.shared.run {
            try emulated.prepareFiles(paths, configuration)
            return try emulated.makeStorage(paths, configuration)
        }
        let number = key == nil ? nil : Self.keyNumbers.state
        do {
            if isNew, try await mayBeSetUp(emulated, programs) {
                let arguments = emulated.setUp(key: number, forSavedState: isSaved)
                try await setUp(arguments, "", emulated, programs, key)
            }
            if !isSaved, programs.features.contains("cmdarg-reconfigure-pcr-banks"),
                let arguments = emulated.reconfiguration(key: number)
            {
                try await setUp(arguments, " --reconfigure", emulated, programs, key)
            }
        } catch {
            if isNew { _ = try? await BlockingPool.shared.run { emulated.removeNewStorage() } }
            throw error
        }
    }

    /// A user's own daemon lets swtpm_setup write its configuration first, and cannot set up every old TPM.
    private func mayBeSetUp(_ emulated: EmulatedTPM, _ programs: SoftwareTPM) async throws -> Bool {
        guard driver.paths.isSession, let setup = programs.paths?.setup else { return true }
        if emulated.tpm.version == .v1, !programs.features.contains("tpm12-not-need-root") {
            let text = "Did not create EK and certificates since this requires privileged mode for a TPM 1.2\n"
            let log = emulated.log
            try await BlockingPool.shared.run { try FileSystem.atomicWrite(log, Array(text.utf8), mode: 0o600) }
            return false
        }
        guard programs.features.contains("cmdarg-create-config-files") else { return true }
        let output = try await ChildProcess.run(
            setup, ["--create-config-files", "skip-if-exist"], timeout: Self.setupTimeout)
        guard output.status.isSuccess else {
            let errors = String(decoding: output.stderr, as: UTF8.self)
            throw VirtError(
                .internalError, .none,
                "Could not run '\(setup)' to create config files. exitstatus: \(output.status.number);\nError: \(errors)"
            )
        }
        return true
    }

    private func setUp(
        _ arguments: [String], _ what: String, _ emulated: EmulatedTPM, _ programs: SoftwareTPM, _ key: [UInt8]?
    ) async throws {
        guard let path = programs.paths?.setup else { throw removedError }
        var program = swtpm(path)
        program.arguments = arguments
        if let key {
            try programs.requireSetup("cmdarg-pwdfile-fd")
            program.descriptors[Self.keyNumbers.state] = try Self.pipe(key)
        }
        let output = try await ChildProcess.run(program, timeout: Self.setupTimeout, on: loop)
        guard output.status.isSuccess else {
            throw VirtError(
                .internalError, .none,
                "Could not run '\(path)\(what)'. exitstatus: \(output.status.number); Check error log "
                    + "'\(emulated.log)' for details.")
        }
    }

    private func passphrase(of tpm: TPM) async throws -> [UInt8]? {
        guard let secret = tpm.encryptionSecret else { return nil }
        return try await SecretLookup(directory: driver.paths.run, loop: loop).value(.uuid(secret))
    }

    /// A pipe that has all of a passphrase in it, so that nobody has to stay and write.
    private static func pipe(_ bytes: [UInt8]) throws(VirtError) -> DescriptorBox {
        let pipe = try OwnedDescriptor.pipe()
        try pipe.writing.descriptor.setNonBlocking(true)
        let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(pipe.writing.rawValue, $0.baseAddress, $0.count) }
        guard count == bytes.count else {
            throw VirtError(.internalError, .none, "a passphrase of \(bytes.count) bytes is too long")
        }
        return pipe.reading
    }

    // MARK: The process

    /// Where swtpm's complaints go until it has a log: a file without a name.
    private func openComplaints() throws(VirtError) -> DescriptorBox {
        DescriptorBox(try OwnedDescriptor(opening: driver.paths.swtpmState, O_RDWR | linuxTemporaryFile))
    }

    private func waitForSocket(_ path: String, _ process: RunningChild, _ complaints: DescriptorBox) async throws {
        let deadline = MonotonicTime.now() + Self.patience
        while !FileSystem.exists(path) {
            guard process.exitStatus == nil else {
                var text = [UInt8](repeating: 0, count: 1023)
                let count = unsafe pread(complaints.rawValue, &text, text.count, 0)
                let said = String(decoding: text.prefix(max(0, count)), as: UTF8.self)
                throw VirtError(.internalError, .none, "swtpm died and reported: \(said)")
            }
            guard MonotonicTime.now() < deadline else {
                throw VirtError(.internalError, .none, "swtpm socket did not show up")
            }
            try await loop.sleep(for: .milliseconds(10))
        }
        guard !driver.paths.isSession else { return }
        // QEMU connects to it.
        let configuration = driver.configuration
        try FileSystem.giveSocket(path, of: configuration.swtpmUser, to: configuration.uid, configuration.gid)
    }

    /// The state of a domain's TPM goes with the domain, unless it or the caller says otherwise.
    ///
    /// - Parameter flags: those of virDomainUndefineFlags: 32 removes the state, 64 keeps it.
    func dropTPM(of domain: Domain?, _ flags: UInt32 = 0) async {
        guard let tpm = domain?.devices.tpms.first(where: { $0.backend == .emulator }) else { return }
        guard flags & 32 != 0 || tpm.persistentState != true && flags & 64 == 0 else { return }
        let path = EmulatedTPM.directory(driver.paths, uuid)
        do {
            try await BlockingPool.shared.run { try FileSystem.removeTree(path) }
        } catch {
            Self.log.warning("the state of a TPM is left in '\(path)': \(error)")
        }
    }
}

/// O_TMPFILE, which the C library does not show Swift.
private let linuxTemporaryFile: Int32 = 0o20000000 | O_DIRECTORY

extension ExitStatus {
    /// As libvirt shows it in a message.
    fileprivate var number: Int32 {
        switch self {
        case .exited(let status): status
        case .signalled(let signal): signal
        case .unknown: -1
        }
    }
}
