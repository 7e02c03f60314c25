import CLinux
import Glibc

private typealias GroupEntry = group

/// Questions about the machine, its users and its processes that several rooms ask.
package enum HostInfo {
    /// The processors that this process may run on.
    package static var processors: Int { max(1, Int(clinux_cpu_count())) }

    /// The machine's name, as the kernel has it.
    package static var hostName: String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, unsafe gethostname(start, buffer.count) == 0 else {
                return "localhost"
            }
            unsafe buffer[buffer.count - 1] = 0
            return unsafe String(cString: start)
        }
    }

    /// When a process started, in clock ticks since boot: with its id, it names a process for good. nil: no such one.
    package static func startTime(of pid: Int32) -> UInt64? {
        // The second field, the name, may hold anything: the rest starts after the last parenthesis.
        guard let bytes = try? FileSystem.read("/proc/\(pid)/stat", limit: 4096),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }

    /// The name of a user; nil if the id has none.
    package static func userName(_ uid: UInt32) -> String? {
        unsafe lookUp { buffer, size in
            var entry = unsafe passwd()
            var found: UnsafeMutablePointer<passwd>?
            let result = unsafe getpwuid_r(uid, &entry, buffer, size, &found)
            return unsafe (result, found?.pointee.pw_name.map { unsafe String(cString: $0) })
        }
    }

    /// The name of a group; nil if the id has none.
    package static func groupName(_ gid: UInt32) -> String? {
        unsafe lookUp { buffer, size in
            var entry = unsafe GroupEntry()
            var found: UnsafeMutablePointer<GroupEntry>?
            let result = unsafe getgrgid_r(gid, &entry, buffer, size, &found)
            return unsafe (result, found?.pointee.gr_name.map { unsafe String(cString: $0) })
        }
    }

    /// A user's id and own group. The name may be a number, with "+" before it to say so, as libvirt's settings allow.
    package static func user(named name: String) -> (uid: UInt32, gid: UInt32)? {
        if name.hasPrefix("+") { return UInt32(name.dropFirst()).map { ($0, $0) } }
        let found: (UInt32, UInt32)? = unsafe lookUp { buffer, size in
            var entry = unsafe passwd()
            var found: UnsafeMutablePointer<passwd>?
            let result = unsafe getpwnam_r(name, &entry, buffer, size, &found)
            return unsafe (result, found.map { unsafe ($0.pointee.pw_uid, $0.pointee.pw_gid) })
        }
        return found ?? UInt32(name).map { ($0, $0) }
    }

    /// A group's id. The name may be a number, with "+" before it to say so.
    package static func group(named name: String) -> UInt32? {
        if name.hasPrefix("+") { return UInt32(name.dropFirst()) }
        let found: UInt32? = unsafe lookUp { buffer, size in
            var entry = unsafe GroupEntry()
            var found: UnsafeMutablePointer<GroupEntry>?
            let result = unsafe getgrnam_r(name, &entry, buffer, size, &found)
            return unsafe (result, found?.pointee.gr_gid)
        }
        return found ?? UInt32(name)
    }

    /// All groups of a user, `gid` included.
    package static func groups(ofUser name: String, gid: UInt32) -> [UInt32] {
        var count: Int32 = 64
        var groups = [gid_t](repeating: 0, count: Int(count))
        while unsafe getgrouplist(name, gid, &groups, &count) < 0, count > Int32(groups.count), count <= 65536 {
            groups = [gid_t](repeating: 0, count: Int(count))
        }
        return Array(groups.prefix(Int(max(0, count))))
    }

    /// Calls `body` with more and more room until it no longer asks for it (ERANGE).
    private static func lookUp<T>(_ body: (UnsafeMutablePointer<CChar>, Int) -> (Int32, T?)) -> T? {
        var size = 1024
        while size <= 1 << 20 {
            let (result, value) = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer in
                unsafe buffer.baseAddress.map { unsafe body($0, size) } ?? (0, nil)
            }
            guard result == ERANGE || result == EINTR else { return value }
            size *= 4
        }
        return nil
    }
}
