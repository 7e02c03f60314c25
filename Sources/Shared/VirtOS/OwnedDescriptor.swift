import CLinux
import Glibc
package import VirtCore

/// A file descriptor with one owner, which closes it.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number, for calls that borrow the descriptor.
    package let rawValue: Int32

    /// Takes over `raw`.
    package init(_ raw: Int32) { rawValue = raw }

    deinit { if rawValue >= 0 { _ = close(rawValue) } }

    /// Gives the descriptor away: the receiver closes it.
    package consuming func take() -> Int32 {
        let raw = rawValue
        discard self
        return raw
    }

    /// A second descriptor of the same open file, close-on-exec.
    package borrowing func duplicate() throws(VirtError) -> OwnedDescriptor {
        try OwnedDescriptor(duplicating: rawValue)
    }

    /// A second descriptor of the open file behind `raw`, close-on-exec.
    package init(duplicating raw: Int32) throws(VirtError) {
        let copy = clinux_duplicate(raw)
        guard copy >= 0 else { throw .system(-copy, .none, "Unable to duplicate file descriptor \(raw)") }
        self.init(copy)
    }

    /// Opens a file, close-on-exec whatever `flags` say.
    package init(opening path: String, _ flags: Int32, mode: UInt32 = 0o600) throws(VirtError) {
        let raw = unsafe path.withCString { unsafe clinux_open($0, flags, mode) }
        guard raw >= 0 else { throw .system(-raw, .none, "Failed to open file '\(path)'") }
        self.init(raw)
    }

    /// A pipe, both ends close-on-exec and, if asked, non-blocking.
    package static func pipe(nonBlocking: Bool = false) throws(VirtError) -> Pipe {
        var ends: [Int32] = [-1, -1]
        let result = unsafe clinux_pipe(&ends, nonBlocking)
        guard result >= 0 else { throw .system(-result, .none, "Unable to create pipes") }
        return Pipe(
            reading: DescriptorBox(OwnedDescriptor(ends[0])), writing: DescriptorBox(OwnedDescriptor(ends[1])))
    }

    /// The two ends of a pipe.
    package struct Pipe: Sendable {
        package let reading: DescriptorBox
        package let writing: DescriptorBox
    }

    /// Turns O_NONBLOCK on or off.
    package borrowing func setNonBlocking(_ on: Bool) throws(VirtError) {
        let result = clinux_set_nonblocking(rawValue, on)
        guard result >= 0 else { throw .system(-result, .none, "Unable to set flags of file descriptor") }
    }
}

/// A descriptor that arrays, dictionaries and closures can hold.
package final class DescriptorBox: Sendable {
    package let descriptor: OwnedDescriptor

    package init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// The number, for calls that borrow the descriptor.
    package var rawValue: Int32 { descriptor.rawValue }
}
