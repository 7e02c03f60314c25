import Glibc
package import VirtCore

extension FileSystem {
    /// Makes a directory and those above it that are missing. Existing ones keep their mode.
    package static func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws(VirtError) {
        if unsafe mkdir(path, mode) == 0 || errno == EEXIST && isDirectory(path) { return }
        guard errno == ENOENT, path != directory(of: path) else {
            throw .system(errno, .none, "cannot create directory '\(path)'")
        }
        try makeDirectories(directory(of: path), mode: mode)
        guard unsafe mkdir(path, mode) == 0 || errno == EEXIST && isDirectory(path) else {
            throw .system(errno, .none, "cannot create directory '\(path)'")
        }
    }

    /// The names in a directory, sorted; none if there is no such directory.
    package static func names(in path: String) throws(VirtError) -> [String] {
        guard let directory = unsafe opendir(path) else {
            if errno == ENOENT { return [] }
            throw .system(errno, .none, "cannot open directory '\(path)'")
        }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = unsafe readdir(directory) {
            let name = unsafe name(of: entry)
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .system(errno, .none, "Unable to read directory '\(path)'") }
        return names.sorted()
    }

    private static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
        unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        }
    }

    /// Makes `path` a symbolic link to `target`, replacing a link or file that was there, in one step.
    package static func makeLink(_ path: String, to target: String) throws(VirtError) {
        if unsafe symlink(target, path) == 0 { return }
        guard errno == EEXIST else { throw linkError(path, target) }
        let temporary = "\(directory(of: path))/.virtswarm-\(getpid())-link.new"
        unsafe unlink(temporary)
        guard unsafe symlink(target, temporary) == 0 else { throw linkError(path, target) }
        guard unsafe rename(temporary, path) == 0 else {
            let error = linkError(path, target)
            unsafe unlink(temporary)
            throw error
        }
    }

    private static func linkError(_ path: String, _ target: String) -> VirtError {
        .system(errno, .none, "Failed to create symlink '\(path)' to '\(target)'")
    }

    /// Where a symbolic link points; nil if the path is none.
    package static func linkTarget(_ path: String) -> String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let length = unsafe readlink(path, start, buffer.count)
            guard length >= 0 else { return nil }
            return unsafe String(decoding: UnsafeRawBufferPointer(buffer).prefix(length), as: UTF8.self)
        }
    }

    /// Removes a directory with everything in it, following no links. No such path is no error.
    package static func removeTree(_ path: String) throws(VirtError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw .system(errno, .none, "cannot stat '\(path)'")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            try remove(path)
            return
        }
        let parent = try OwnedDescriptor(opening: directory(of: path), O_RDONLY | O_DIRECTORY)
        let name = String(path.split(separator: "/").last ?? "")
        try removeTree(name, in: parent.rawValue, path, depth: 0)
    }

    /// Deeper than any daemon nests, and each level holds a descriptor.
    private static let maximumDepth = 128

    private static func removeTree(
        _ name: String, in parent: Int32, _ path: String, depth: Int
    ) throws(VirtError) {
        let raw = unsafe openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0, depth < maximumDepth else {
            throw .system(raw < 0 ? errno : ELOOP, .none, "cannot open directory '\(path)'")
        }
        guard let stream = unsafe fdopendir(raw) else {
            close(raw)
            throw .system(errno, .none, "cannot open directory '\(path)'")
        }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let child = unsafe self.name(of: entry)
            if unsafe child == "." || child == ".." || unlinkat(raw, child, 0) == 0 { continue }
            guard errno == EISDIR || errno == EPERM else {
                throw .system(errno, .none, "cannot delete file '\(path)/\(child)'")
            }
            try removeTree(child, in: raw, "\(path)/\(child)", depth: depth + 1)
        }
        guard unsafe unlinkat(parent, name, AT_REMOVEDIR) == 0 else {
            throw .system(errno, .none, "Failed to delete '\(path)'")
        }
    }
}
