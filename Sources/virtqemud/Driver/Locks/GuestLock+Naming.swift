import CGcrypt
import VirtCore
import VirtModel
import VirtOS

extension GuestLock {
    private static let scsiTool = "/lib/udev/scsi_id"

    /// The locks of a guest as virtlockd knows them.
    static func named(_ subjects: [LockSubject], _ configuration: LockConfiguration) async throws -> [GuestLock] {
        var locks: [GuestLock] = []
        for subject in subjects {
            switch subject {
            case .lease(let lease): locks.append(try GuestLock(lease))
            case .image(let path, let isShared):
                guard configuration.locksDisks else { continue }
                locks.append(try await named(path, isShared: isShared, configuration))
            }
        }
        let isWritten = subjects.contains { subject in
            if case .image(_, isShared: false) = subject { true } else { false }
        }
        guard !locks.isEmpty || configuration.locksDisks || !isWritten || !configuration.requiresLeases else {
            throw VirtError(
                .configUnsupported, .locking,
                "Read/write, exclusive access, disks were present, but no leases specified")
        }
        return locks
    }

    /// The lock of an image: by what it is on all hosts, as far as there are spaces for that, else by its path.
    private static func named(
        _ path: String, isShared: Bool, _ configuration: LockConfiguration
    ) async throws -> GuestLock {
        if path.hasPrefix("/dev") {
            if let space = configuration.volumeSpace, let uuid = try await volumeUUID(path) {
                return GuestLock(space: space, name: uuid, isShared: isShared, isMade: true)
            }
            if let space = configuration.scsiSpace, let id = try await scsiID(path) {
                return GuestLock(space: space, name: id, isShared: isShared, isMade: true)
            }
        }
        guard let space = configuration.fileSpace else {
            return GuestLock(space: "", name: path, isShared: isShared)
        }
        return GuestLock(space: space, name: digest(path), isShared: isShared, isMade: true)
    }

    private static func volumeUUID(_ path: String) async throws -> String? {
        let arguments = ["--noheadings", "--unbuffered", "--nosuffix", "--options", "uuid", path]
        return firstLine(try await ChildProcess.run("lvs", arguments))
    }

    private static func scsiID(_ path: String) async throws -> String? {
        guard ChildProcess.find(scsiTool) != nil else { return nil }
        return firstLine(
            try await ChildProcess.run(scsiTool, ["--replace-whitespace", "--whitelisted", "--device", path]))
    }

    /// What a tool found; nil when it knows nothing of the device.
    static func firstLine(_ output: ChildProcess.Output) -> String? {
        guard output.status == .exited(0) else { return nil }
        let line = String(decoding: output.stdout, as: UTF8.self).drop { $0.isWhitespace }.prefix { $0 != "\n" }
        return line.isEmpty ? nil : String(line)
    }

    /// SHA-256 in hexadecimal digits.
    static func digest(_ text: String) -> String {
        unsafe gcry_check_version(nil)
        let bytes = Array(text.utf8)
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe gcry_md_hash_buffer(Int32(GCRY_MD_SHA256.rawValue), &digest, bytes, bytes.count)
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
