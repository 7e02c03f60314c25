import Glibc
import VirtOS

/// Looks at one file after the other. The images of a host are in few directories: the last one is held, so that each
/// look is at a name in it and not along the whole path.
struct FileLook: ~Copyable {
    private var directory: [UInt8] = []
    private var held: OwnedDescriptor?

    /// The state of a file; nil when there is none. Blocks.
    mutating func status(_ path: String) -> stat? {
        var path = path
        let length = path.withUTF8 { bytes in
            unsafe bytes.lastIndex(of: UInt8(ascii: "/")).map {
                unsafe hold(UnsafeBufferPointer(rebasing: bytes[..<$0]))
            } ?? 0
        }
        var status = stat()
        let result = unsafe path.withCString { start in
            guard length > 0, unsafe start[length + 1] != 0, let held = held?.rawValue else {
                return unsafe stat(start, &status)
            }
            return unsafe fstatat(held, start + length + 1, &status, 0)
        }
        return result == 0 ? status : nil
    }

    /// Holds the directory of that name; its length, 0 when it cannot be held.
    private mutating func hold(_ name: UnsafeBufferPointer<UInt8>) -> Int {
        if directory.count == name.count, unsafe directory.elementsEqual(name) {
            return held == nil ? 0 : name.count
        }
        unsafe directory = Array(name)
        held = nil
        let descriptor = unsafe open(String(decoding: directory, as: UTF8.self), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        held = OwnedDescriptor(descriptor)
        return name.count
    }
}
