import Glibc
import VirtCore
import VirtModel

/// Flags of virDomainBlockCopyFlags.
enum BlockCopyFlags {
    static let shallow: UInt32 = 1
    static let reuseExternal: UInt32 = 2
    static let transientJob: UInt32 = 4
    static let all: UInt32 = 7
}

/// Flags of virDomainBlockCommitFlags.
enum BlockCommitFlags {
    static let shallow: UInt32 = 1
    static let delete: UInt32 = 2
    static let active: UInt32 = 4
    static let relative: UInt32 = 8
    static let bytes: UInt32 = 16
    static let all: UInt32 = 31
}

/// Flags of virDomainBlockRebaseFlags.
enum BlockRebaseFlags {
    static let shallow: UInt32 = 1
    static let reuseExternal: UInt32 = 2
    static let copyRaw: UInt32 = 4
    static let copy: UInt32 = 8
    static let relative: UInt32 = 16
    static let copyDevice: UInt32 = 32
    static let bytes: UInt32 = 64
    static let all: UInt32 = 127
}

/// What block jobs ask of a disk before they begin.
extension DomainActor {
    /// The running guest's disk with a target name or a source path.
    func jobDisk(_ name: String) throws -> Disk {
        let (live, _) = try running()
        guard let index = live.diskIndex(name) else {
            throw VirtError(.invalidArg, .qemu, "disk '\(name)' not found in domain")
        }
        return live.devices.disks[index]
    }

    /// Refuses a second job on a disk.
    func requireIdle(_ disk: Disk) throws {
        let target = disk.target.dev ?? ""
        guard disk.mirror == nil else {
            throw VirtError(.blockCopyActive, .qemu, "disk '\(target)' already in active block job")
        }
        guard runtime?.blockJob(ofDisk: target)?.state.isRunning != true else {
            throw VirtError(.operationUnsupported, .qemu, "disk '\(target)' already in active block job")
        }
    }

    /// Refuses what cannot run while a disk has a job.
    func requireNoBlockJobs() throws {
        let isBusy =
            runtime?.blockJobs.contains { $0.disk != nil && $0.state.isRunning } == true
            || live?.devices.disks.contains { $0.mirror?.job == .copy } == true
        guard !isBusy else { throw VirtError(.operationInvalid, .qemu, "domain has active block job") }
    }
}

extension Disk {
    /// Refuses disks that have no nodes of their own.
    func requireBlockJobs() throws(VirtError) {
        let name = target.dev ?? ""
        guard target.bus != .sd else {
            throw VirtError(
                .operationUnsupported, .qemu, "block jobs are not supported on disk '\(name)' using bus 'sd'")
        }
        guard transient == nil else {
            throw VirtError(
                .operationUnsupported, .qemu, "block jobs are not supported on transient disk '\(name)'")
        }
        guard source.type != .vhostuser else {
            throw VirtError(
                .operationUnsupported, .qemu, "block jobs are not supported on vhostuser disk '\(name)'")
        }
    }

    /// The node of the disk that the guest's device is connected to.
    var topNode: String {
        driver?.copyOnRead == true
            ? "libvirt-CoR-\(target.dev ?? "")" : "libvirt-\(source.index ?? 0)-format"
    }
}

extension ImageChain {
    /// The image that a client means: "vda[3]", a path, or nil for the last one.
    ///
    /// - Parameter above: where the search begins just below.
    func find(_ name: String?, below above: Int? = nil, disk: String) throws(VirtError) -> Int {
        let start = above.map { $0 + 1 } ?? 0
        guard let name else {
            guard let last = images.indices.last, last >= start else {
                throw VirtError(.invalidArg, .storage, "could not find base image in chain for '\(disk)'")
            }
            return last
        }
        if let (target, index) = Self.indexed(name) {
            guard index == 0 || target == disk else {
                throw VirtError(
                    .invalidArg, .storage, "requested target '\(target)' does not match target '\(disk)'")
            }
            if index != 0 {
                if let found = images.indices.dropFirst(start).first(where: { images[$0].source.index == index }) {
                    return found
                }
                throw VirtError(
                    .invalidArg, .storage,
                    "could not find backing store index '\(index)' in chain for '\(disk)'")
            }
        }
        if let found = images.indices.dropFirst(start).first(where: { isNamed(name, $0) }) { return found }
        guard let above else {
            throw VirtError(.invalidArg, .storage, "could not find image '\(name)' in chain for '\(disk)'")
        }
        let path = images[above].source.path ?? ""
        throw VirtError(
            .invalidArg, .storage, "could not find image '\(name)' beneath '\(path)' in chain for '\(disk)'")
    }

    private static func indexed(_ name: String) -> (target: String, index: UInt32)? {
        guard name.hasSuffix("]"), let open = name.lastIndex(of: "["),
            let index = UInt32(name[name.index(after: open)...].dropLast())
        else { return nil }
        return (String(name[..<open]), index)
    }

    private func isNamed(_ name: String, _ position: Int) -> Bool {
        let source = images[position].source
        if source.path == name || source.privateData?.relativePath == name { return true }
        guard let path = source.localPath else { return false }
        var wanted = name
        if !name.hasPrefix("/") {
            guard let upper = position > 0 ? images[position - 1].source.localPath : nil,
                let slash = upper.lastIndex(of: "/")
            else { return false }
            wanted = String(upper[...slash]) + name
        }
        return Self.isSameFile(wanted, path)
    }

    /// Whether two paths lead to one file. Blocks for a moment.
    private static func isSameFile(_ one: String, _ other: String) -> Bool {
        var first = stat()
        var second = stat()
        guard unsafe stat(one, &first) == 0, unsafe stat(other, &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }
}

/// Bandwidths as clients give them.
enum BlockBandwidth {
    /// In bytes per second; MiB unless the flag says otherwise.
    static func bytes(_ bandwidth: UInt64, isBytes: Bool) throws(VirtError) -> UInt64 {
        let limit = UInt64(Int64.max)
        if isBytes {
            guard bandwidth <= limit else {
                throw VirtError(.overflow, .qemu, "bandwidth must be less than \(limit)")
            }
            return bandwidth
        }
        guard bandwidth <= limit >> 20 else {
            throw VirtError(.overflow, .qemu, "bandwidth must be less than \(limit >> 20)")
        }
        return bandwidth << 20
    }
}
