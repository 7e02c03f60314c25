import VirtCore
import VirtOS

/// What waits to be written to QEMU: lines, each perhaps with a descriptor that travels with its first byte.
struct MonitorOutput {
    private struct Entry {
        var bytes: ArraySlice<UInt8>
        var descriptor: DescriptorBox?
    }

    private var entries: [Entry] = []

    /// Lines without a descriptor are joined, so that a batch of commands leaves in one write.
    mutating func append(_ line: [UInt8], descriptor: DescriptorBox?) {
        if descriptor == nil, let last = entries.indices.last, entries[last].descriptor == nil {
            entries[last].bytes.append(contentsOf: line)
        } else {
            entries.append(Entry(bytes: line[...], descriptor: descriptor))
        }
    }

    /// Writes as much as the socket takes.
    ///
    /// - Returns: whether nothing is left.
    mutating func send(to socket: Int32) throws(VirtError) -> Bool {
        while let entry = entries.first {
            let result = unsafe entry.bytes.withUnsafeBytes { bytes in
                unsafe UnixSocket.send(socket, bytes, descriptor: entry.descriptor?.rawValue)
            }
            switch result {
            case .bytes(let count) where count >= entry.bytes.count:
                entries.removeFirst()
            case .bytes(let count):
                entries[0] = Entry(bytes: entry.bytes.dropFirst(count), descriptor: nil)
            case .wouldBlock:
                return false
            case .error(let code):
                throw .system(code, .qemu, "Unable to write to monitor")
            }
        }
        return true
    }
}
