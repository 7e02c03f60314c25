import VirtModel

extension Domain {
    /// The programs that serve this guest's devices, in the order in which they are started.
    func companions(_ paths: DriverPaths, id: Int32, library: String) -> [Companion] {
        let graphics = devices.videos.compactMap { Companion.graphics($0, paths, name: name, id: id) }
        let filesystems = devices.filesystems.compactMap {
            Companion.filesystem($0, paths, name: name, id: id, library: library)
        }
        let tpms = devices.tpms.filter { $0.backend == .emulator }.map { _ in
            Companion.tpm(paths, name: name, id: id)
        }
        return graphics + filesystems + tpms
    }
}

extension Companion {
    /// vhost-user-gpu of a video device; nil for a video device that QEMU has itself.
    static func graphics(_ video: Video, _ paths: DriverPaths, name: String, id: Int32) -> Companion? {
        guard video.driverName == .vhostuser, let alias = video.info.alias else { return nil }
        let short = DriverPaths.numberedName(name, id: id)
        return Companion(title: "vhost-user-gpu", pidFile: "\(paths.state)/\(short)-\(alias)-vhost-user-gpu.pid")
    }

    /// virtiofsd of a directory; nil for one that QEMU, or somebody else's virtiofsd, serves.
    static func filesystem(
        _ filesystem: Filesystem, _ paths: DriverPaths, name: String, id: Int32, library: String
    ) -> Companion? {
        guard filesystem.driver == .virtiofs, filesystem.sourceSocket == nil, let alias = filesystem.info.alias else {
            return nil
        }
        let short = DriverPaths.numberedName(name, id: id)
        return Companion(
            title: "virtiofsd", pidFile: "\(paths.state)/\(short)-\(alias)-fs.pid",
            socket: "\(library)/\(alias)-fs.sock")
    }

    /// swtpm of the guest's only TPM.
    static func tpm(_ paths: DriverPaths, name: String, id: Int32) -> Companion {
        let base = "\(paths.swtpmState)/\(DriverPaths.numberedName(name, id: id))-swtpm"
        return Companion(title: "TPM Emulator", pidFile: base + ".pid", socket: base + ".sock")
    }
}
