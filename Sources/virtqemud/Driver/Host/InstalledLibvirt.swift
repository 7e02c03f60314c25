import Glibc
import VirtOS

/// C libvirt's daemons on this host. A cache file of theirs tells the last change of the daemon and of the modules that
/// it had loaded, and is good for nobody else: facts are shared both ways by knowing, and writing, that time.
struct InstalledLibvirt: Sendable, Equatable {
    /// The times that a daemon may have written, by what it had loaded.
    var times: Set<Int64> = []
    /// What the daemon has that loads everything it needs at its start; nil where there is none.
    var selfTime: Int64?

    /// Looks for the daemons. Blocks: for a `BlockingPool`.
    static func find(
        daemons: [String] = ["/usr/sbin/libvirtd", "/usr/sbin/virtqemud"],
        libraries: [String] = ["/usr/lib/\(multiarch)/libvirt", "/usr/lib64/libvirt", "/usr/lib/libvirt"]
    ) -> InstalledLibvirt {
        var result = InstalledLibvirt()
        let directories = libraries.filter(FileSystem.isDirectory)
        let early = directories.flatMap { modules($0 + "/connection-driver") + modules($0 + "/storage-backend") }
        let late = directories.flatMap { modules($0 + "/storage-file") + modules($0 + "/lock-driver") }
        let driver = early.first { $0.name == "libvirt_driver_qemu.so" }?.time ?? 0
        for daemon in daemons where !isOwnBinary(daemon) {
            guard let time = HostFacts.changeTime(daemon) else { continue }
            let least = max(time, driver)
            result.times.formUnion(([time] + (early + late).map(\.time)).filter { $0 >= least })
            if result.selfTime == nil { result.selfTime = early.map(\.time).reduce(least, max) }
        }
        return result
    }

    /// Debian's name of the directory for this machine's libraries.
    static var multiarch: String {
        #if arch(arm64)
            "aarch64-linux-gnu"
        #else
            "x86_64-linux-gnu"
        #endif
    }

    private static func modules(_ directory: String) -> [(name: String, time: Int64)] {
        SysFile.names(directory).filter { $0.hasSuffix(".so") }.compactMap { name in
            HostFacts.changeTime("\(directory)/\(name)").map { (name, $0) }
        }
    }

    /// Where this daemon is installed in the place of C's.
    private static func isOwnBinary(_ path: String) -> Bool {
        var (own, other) = (stat(), stat())
        guard unsafe stat("/proc/self/exe", &own) == 0, unsafe stat(path, &other) == 0 else { return false }
        return own.st_dev == other.st_dev && own.st_ino == other.st_ino
    }
}
