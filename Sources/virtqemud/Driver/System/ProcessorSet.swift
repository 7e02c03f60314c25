import CLinux
import Glibc
import VirtCore

/// A set of host processors, as bytes with processor 0 in the first bit: libvirt's CPU map.
struct ProcessorSet: Sendable, Equatable {
    var bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    init(_ processors: some Sequence<Int>, count: Int) {
        bytes = Array(repeating: 0, count: (max(0, count) + 7) / 8)
        for processor in processors where processor >= 0 && processor < count {
            bytes[processor / 8] |= 1 << UInt8(processor % 8)
        }
    }

    static func all(_ count: Int) -> ProcessorSet { ProcessorSet(0..<max(0, count), count: count) }

    func contains(_ processor: Int) -> Bool {
        processor >= 0 && processor / 8 < bytes.count && bytes[processor / 8] & (1 << UInt8(processor % 8)) != 0
    }

    var processors: [Int] { (0..<(bytes.count * 8)).filter(contains) }
    var isEmpty: Bool { !bytes.contains { $0 != 0 } }

    /// Exactly as many bytes as a client has room for.
    func padded(to length: Int) -> [UInt8] {
        let part = bytes.prefix(max(0, length))
        return Array(part) + Array(repeating: 0, count: max(0, length - part.count))
    }

    /// "0-3,5": how XML and events write it.
    var description: String {
        var parts: [String] = []
        var rest = processors[...]
        while let first = rest.popFirst() {
            var last = first
            while rest.first == last + 1 { last = rest.removeFirst() }
            parts.append(first == last ? "\(first)" : "\(first)-\(last)")
        }
        return parts.joined(separator: ",")
    }

    /// How many processors the host has, whether they are online or not.
    static var hostCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_CONF)))) }

    /// The processors that a thread may use now.
    static func affinity(of thread: Int32, count: Int = hostCount) throws(VirtError) -> ProcessorSet {
        var map = [UInt8](repeating: 0, count: (count + 7) / 8)
        let result = unsafe clinux_affinity_get(thread, &map, map.count)
        guard result >= 0 else { throw .system(-result, .none, "cannot get CPU affinity of process \(thread)") }
        return ProcessorSet(bytes: map)
    }

    /// Binds a thread to these processors.
    func apply(to thread: Int32) throws(VirtError) {
        let result = unsafe clinux_affinity_set(thread, bytes, bytes.count)
        guard result >= 0 else { throw .system(-result, .none, "cannot set CPU affinity on process \(thread)") }
    }
}
