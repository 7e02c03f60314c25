import Glibc
import VirtCore
import VirtOS

/// A set of resources that guests lock: files of one directory, or, without a directory, any files by their paths.
struct LockSpace: Sendable {
    /// What a release did.
    enum Release: Sendable {
        /// Others own it still.
        case left(LockResource)
        /// Nobody owns it any more: it is out of the space, and still locked until its `end()`.
        case ended(LockResource)

        var resource: LockResource {
            switch self {
            case .left(let resource), .ended(let resource): resource
            }
        }
    }

    /// nil: the direct space, whose resource names are paths.
    let directory: String?
    private(set) var resources: [String: LockResource] = [:]

    /// A space that is there already.
    init(directory: String?) {
        self.directory = directory
    }

    /// A space whose directory is made if it is missing.
    init(making directory: String) throws(VirtError) {
        if FileSystem.exists(directory), !FileSystem.isDirectory(directory) {
            throw VirtError(
                .internalError, .lockspace, "Lockspace location \(directory) exists, but is not a directory")
        }
        do throws(VirtError) {
            try FileSystem.makeDirectories(directory, mode: 0o700)
        } catch {
            throw .system(error.int1, .lockspace, "Unable to create lockspace \(directory)")
        }
        self.init(directory: directory)
    }

    private func path(_ name: String) -> String {
        guard let directory else { return name }
        return "\(directory)/\(name)"
    }

    // MARK: Files of resources

    func create(_ name: String) throws(VirtError) {
        try checkFree(name)
        let path = path(name)
        do throws(VirtError) {
            _ = try OwnedDescriptor(opening: path, O_WRONLY | O_CREAT, mode: 0o600)
        } catch {
            throw .system(error.int1, .none, "cannot create file '\(path)'")
        }
    }

    func delete(_ name: String) throws(VirtError) {
        try checkFree(name)
        let path = path(name)
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw .system(errno, .lockspace, "Unable to delete lockspace resource \(path)")
        }
    }

    private func checkFree(_ name: String) throws(VirtError) {
        if resources[name] != nil { throw LockResource.busy(name) }
    }

    // MARK: Locks

    /// Locks a resource for an owner, or adds the owner to those that share it.
    mutating func acquire(
        _ name: String, owner: LockHolder, flags: LockResource.Flags
    ) throws(VirtError) -> LockResource {
        if var held = resources[name] {
            guard held.flags.contains(.shared), flags.contains(.shared) else { throw LockResource.busy(name) }
            held.owners.append(owner)
            resources[name] = held
            return held
        }
        let path = path(name)
        let file = try lock(path, name: name, flags: flags)
        let resource = LockResource(name: name, path: path, file: file, flags: flags, owners: [owner])
        resources[name] = resource
        return resource
    }

    private func lock(_ path: String, name: String, flags: LockResource.Flags) throws(VirtError) -> LockFile {
        // Two rounds are enough unless somebody keeps removing the file.
        for _ in 0..<100 {
            let file = try open(path, flags: flags)
            let isTaken: Bool
            do throws(VirtError) {
                isTaken = try file.take()
            } catch {
                throw .system(error.int1, .lockspace, "Unable to acquire lock on '\(path)'")
            }
            guard isTaken else { throw LockResource.busy(name) }
            // A file that was removed between open and lock protects nothing.
            if !flags.contains(.autocreate) || isSame(path, file.descriptor.rawValue) { return file }
        }
        throw LockResource.busy(name)
    }

    private func open(_ path: String, flags: LockResource.Flags) throws(VirtError) -> LockFile {
        let isMade = flags.contains(.autocreate)
        do throws(VirtError) {
            let file = try OwnedDescriptor(opening: path, O_RDWR | (isMade ? O_CREAT : 0), mode: 0o600)
            return LockFile(descriptor: DescriptorBox(file), isShared: flags.contains(.shared))
        } catch {
            throw .system(error.int1, .lockspace, "Unable to open\(isMade ? "/create" : "") resource \(path)")
        }
    }

    private func isSame(_ path: String, _ file: Int32) -> Bool {
        var (named, held) = (stat(), stat())
        return unsafe stat(path, &named) == 0 && fstat(file, &held) == 0 && named.st_ino == held.st_ino
            && named.st_dev == held.st_dev
    }

    /// Takes over a resource that an earlier program locked. False: one of that name is there.
    mutating func restore(_ resource: LockResource) -> Bool {
        guard resources[resource.name] == nil else { return false }
        resources[resource.name] = resource
        return true
    }

    mutating func release(_ name: String, owner: UInt32) throws(VirtError) -> Release {
        guard var held = resources[name] else {
            throw VirtError(.resourceBusy, .lockspace, "Lockspace resource '\(name)' is not locked")
        }
        guard let index = held.owners.firstIndex(where: { $0.pid == owner }) else {
            throw VirtError(.internalError, .lockspace, "owner \(owner) does not hold the resource lock")
        }
        held.owners.remove(at: index)
        return put(held)
    }

    /// Takes everything from a process.
    mutating func releaseAll(owner: UInt32) -> [Release] {
        resources.values.filter { $0.owners.contains { $0.pid == owner } }.map { resource in
            var resource = resource
            resource.owners.removeAll { $0.pid == owner }
            return put(resource)
        }
    }

    private mutating func put(_ resource: LockResource) -> Release {
        resources[resource.name] = resource.owners.isEmpty ? nil : resource
        return resource.owners.isEmpty ? .ended(resource) : .left(resource)
    }
}
