import Glibc
import VirtCore
import VirtOS

/// The files of a TPM, which belong to swtpm's user. All of it blocks.
extension EmulatedTPM {
    /// Makes what swtpm writes to: its log, and the directory of its socket, which QEMU's user looks into.
    func prepareFiles(_ paths: DriverPaths, _ configuration: DriverConfiguration) throws(VirtError) {
        try FileSystem.makeDirectories(paths.swtpmLog, mode: 0o711)
        try Self.give(paths.swtpmLog, paths, configuration, mode: paths.isSession ? 0o700 : 0o730)
        // swtpm's user may put there what it likes: nothing of that is opened.
        if !FileSystem.exists(log) { _ = try OwnedDescriptor(opening: log, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644) }
        try Self.give(log, paths, configuration)
        try FileSystem.makeDirectories(paths.swtpmState, mode: 0o770)
        guard !paths.isSession else { return }
        try Self.own(paths.swtpmState, configuration.uid, configuration.swtpmGroup, mode: 0o770)
    }

    /// Makes the state's directory, or hands over an old one. True: it is new.
    func makeStorage(_ paths: DriverPaths, _ configuration: DriverConfiguration) throws(VirtError) -> Bool {
        let isNew = !FileSystem.exists(storage)
        do throws(VirtError) {
            try FileSystem.makeDirectories(FileSystem.directory(of: storage), mode: 0o711)
            try FileSystem.makeDirectories(storage, mode: 0o700)
            try Self.give(storage, paths, configuration, mode: 0o700)
            for name in try FileSystem.names(in: storage) { try Self.give("\(storage)/\(name)", paths, configuration) }
        } catch {
            throw VirtError(
                .internalError, .none,
                "Could not create directory \(storage) as \(configuration.swtpmUser):\(configuration.swtpmGroup)"
                    + ": \(error.message)")
        }
        return isNew
    }

    /// Removes the state that a failed set-up left, but not that of a TPM of another version.
    func removeNewStorage() {
        try? FileSystem.removeTree(storage)
        _ = unsafe rmdir(FileSystem.directory(of: storage))
    }

    private static func give(
        _ path: String, _ paths: DriverPaths, _ configuration: DriverConfiguration, mode: mode_t? = nil
    ) throws(VirtError) {
        guard !paths.isSession else { return }
        try own(path, configuration.swtpmUser, configuration.swtpmGroup, mode: mode)
    }

    private static func own(_ path: String, _ uid: uid_t, _ gid: gid_t, mode: mode_t?) throws(VirtError) {
        guard unsafe lchown(path, uid, gid) == 0 else { throw .system(errno, .none, "Could not chown \(path)") }
        guard let mode else { return }
        guard unsafe chmod(path, mode) == 0 else { throw .system(errno, .none, "Could not chmod \(path)") }
    }
}
