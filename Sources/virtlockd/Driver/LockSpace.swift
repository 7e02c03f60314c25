import CLinux
import Glibc
import VirtCore
import VirtOS

/// A set of resources that guests lock: files of one directory, or, without a directory, any files by their paths.
///
/// The locks are open-file-description locks on the first byte: they exclude the record locks of C daemons here and on
/// other hosts, and, unlike those, do not vanish when another descriptor of the same file is closed.
struct LockSpace {
    /// How a resource is acquired (virLockSpaceProtocolAcquireResourceFlags).
    struct Flags: OptionSet {
        let rawValue: UInt32
        static let shared = Flags(rawValue: 1)
        /// The file is made when it is not there and removed with the last owner.
        static let autocreate = Flags(rawValue: 2)
    }

    /// A locked resource and the processes that own it.
    struct Resource {
        let path: String
        let file: DescriptorBox
        let flags: Flags
        var owners: [UInt32]
    }

    /// nil: the direct space, whose resource names are paths.
    let directory: String?
    private(set) var resources: [String: Resource] = [:]

    init(directory: String?) {
        self.directory = directory
    }

    private func path(_ name: String) throws(VirtError) -> String {
        guard let directory else { return name }
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".", name != ".." else {
            throw VirtError(.invalidArg, .locking, "resource name '\(name)' is not a file name")
        }
        return "\(directory)/\(name)"
    }

    // MARK: Files of resources

    func create(_ name: String) throws(VirtError) {
        try checkFree(name)
        let path = try path(name)
        let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw .system(errno, .locking, "Unable to open/create resource \(path)")
        }
        close(file)
    }

    func delete(_ name: String) throws(VirtError) {
        try checkFree(name)
        let path = try path(name)
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw .system(errno, .locking, "Unable to delete lockspace resource \(path)")
        }
    }

    private func checkFree(_ name: String) throws(VirtError) {
        if resources[name] != nil { throw Self.busy(name) }
    }

    private static func busy(_ name: String) -> VirtError {
        VirtError(.resourceBusy, .locking, "Lockspace resource '\(name)' is locked")
    }

    // MARK: Locks

    mutating func acquire(_ name: String, owner: UInt32, flags: Flags) throws(VirtError) {
        if let held = resources[name] {
            guard held.flags.contains(.shared), flags.contains(.shared) else { throw Self.busy(name) }
            resources[name]?.owners.append(owner)
            return
        }
        let path = try path(name)
        let file = try lock(path, name: name, flags: flags)
        resources[name] = Resource(path: path, file: file, flags: flags, owners: [owner])
    }

    private func lock(_ path: String, name: String, flags: Flags) throws(VirtError) -> DescriptorBox {
        let kind = flags.contains(.shared) ? CLINUX_LOCK_SHARED : CLINUX_LOCK_EXCLUSIVE
        // Two rounds are enough unless somebody keeps removing the file.
        for _ in 0..<100 {
            let create = flags.contains(.autocreate) ? O_CREAT : 0
            let opened = unsafe open(path, O_RDWR | create | O_CLOEXEC, 0o600)
            guard opened >= 0 else {
                throw .system(errno, .locking, "Unable to open/create resource \(path)")
            }
            let file = DescriptorBox(OwnedDescriptor(opened))
            let result = clinux_file_lock(opened, kind, 0, 1, false)
            if result == -EACCES || result == -EAGAIN { throw Self.busy(name) }
            guard result == 0 else {
                throw .system(-result, .locking, "Unable to acquire lock on '\(path)'")
            }
            // A file that was removed between open and lock protects nothing.
            if !flags.contains(.autocreate) || isSame(path, opened) { return file }
        }
        throw Self.busy(name)
    }

    private func isSame(_ path: String, _ file: Int32) -> Bool {
        var (named, held) = (stat(), stat())
        return unsafe stat(path, &named) == 0 && fstat(file, &held) == 0 && named.st_ino == held.st_ino
            && named.st_dev == held.st_dev
    }

    mutating func release(_ name: String, owner: UInt32) throws(VirtError) {
        guard let held = resources[name] else {
            throw VirtError(.resourceBusy, .locking, "Lockspace resource '\(name)' is not locked")
        }
        guard let index = held.owners.firstIndex(of: owner) else {
            throw VirtError(.internalError, .locking, "owner \(owner) does not hold the resource lock")
        }
        resources[name]?.owners.remove(at: index)
        dropIfUnowned(name)
    }

    /// Takes everything from a process; returns how many resources it held.
    mutating func releaseAll(owner: UInt32) -> Int {
        let names = resources.filter { $0.value.owners.contains(owner) }.map(\.key)
        for name in names {
            resources[name]?.owners.removeAll { $0 == owner }
            dropIfUnowned(name)
        }
        return names.count
    }

    private mutating func dropIfUnowned(_ name: String) {
        guard let resource = resources[name], resource.owners.isEmpty else { return }
        resources[name] = nil
        guard resource.flags.contains(.autocreate) else { return }
        // With a shared lock others may still hold the file: it goes only if it can be had alone.
        let isAlone = clinux_file_lock(resource.file.rawValue, CLINUX_LOCK_EXCLUSIVE, 0, 1, false) == 0
        if isAlone { unsafe unlink(resource.path) }
    }
}
