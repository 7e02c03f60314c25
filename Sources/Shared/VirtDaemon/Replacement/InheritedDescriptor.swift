import Glibc
package import VirtCore
package import VirtOS

/// Descriptors that the program before left open for this one.
package enum InheritedDescriptor {
    /// What the descriptor has to be.
    package enum Kind: Sendable {
        case listeningSocket
        case connectedSocket
        case pipe
        case file
    }

    /// Takes over a descriptor that a document names. Only what is not close-on-exec can have been left: everything that
    /// this program opened itself is, and so is what was claimed before.
    package static func claim(_ number: Int32, _ kind: Kind) throws(VirtError) -> DescriptorBox {
        let flags = fcntl(number, F_GETFD)
        guard number > 2, flags >= 0, flags & FD_CLOEXEC == 0, isKind(number, kind) else {
            throw VirtError(.internalError, .none, "file descriptor \(number) was not left as a \(kind)")
        }
        _ = fcntl(number, F_SETFD, flags | FD_CLOEXEC)
        let box = DescriptorBox(OwnedDescriptor(number))
        switch kind {
        case .listeningSocket, .connectedSocket, .pipe: try box.descriptor.setNonBlocking(true)
        case .file: break
        }
        return box
    }

    private static func isKind(_ number: Int32, _ kind: Kind) -> Bool {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { return false }
        return switch kind {
        case .listeningSocket: isListening(number) == true
        case .connectedSocket: isListening(number) == false
        case .pipe: status.st_mode & S_IFMT == S_IFIFO
        case .file: status.st_mode & S_IFMT == S_IFREG || status.st_mode & S_IFMT == S_IFBLK
        }
    }

    /// nil: no socket of files.
    private static func isListening(_ number: Int32) -> Bool? {
        var (domain, listening): (Int32, Int32) = (0, 0)
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(number, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0, domain == AF_UNIX,
            unsafe getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0
        else { return nil }
        return listening != 0
    }

    /// Leaves a descriptor to the next program.
    static func leave(_ number: Int32) throws(VirtError) {
        guard fcntl(number, F_SETFD, 0) == 0 else {
            throw .system(errno, .none, "Cannot disable close-on-exec flag on descriptor \(number)")
        }
    }

    /// Takes `leave` back.
    static func keep(_ number: Int32) { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }

    /// Closes what was left and nobody claimed, except what the service manager passed: a socket that still listens
    /// would be in the way of a new one.
    static func closeUnclaimed() {
        let passed = Int32(DaemonPaths.variable("LISTEN_FDS") ?? "") ?? 0
        let isForUs = DaemonPaths.variable("LISTEN_PID").flatMap { Int32($0) } == getpid()
        let first = isForUs ? 3 + max(0, min(passed, 4096)) : 3
        guard let directory = unsafe opendir("/proc/self/fd") else { return }
        defer { unsafe closedir(directory) }
        var unclaimed: [Int32] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard let number = Int32(name), number >= first, fcntl(number, F_GETFD) & FD_CLOEXEC == 0 else { continue }
            unclaimed.append(number)
        }
        for number in unclaimed { close(number) }
    }
}
