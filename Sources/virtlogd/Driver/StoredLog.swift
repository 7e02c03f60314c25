import CLinux
import Glibc
import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

/// A log's pipe in systemd's descriptor store: the next process of the service finds it there, whatever happened to this
/// one. The pipe and a memory file that says what it is have names with the same number.
struct StoredLog {
    let number: UInt64
    let driver: String
    let domain: LogDomain
    let path: String

    private static let pipePrefix = "log-pipe-"
    private static let factsPrefix = "log-facts-"

    /// Leaves copies of the pipe and of what it is for with systemd.
    func keep(_ pipe: DescriptorBox, _ notify: SystemdNotify) throws(VirtError) {
        guard notify.isActive else { return }
        let bytes = try encoded()
        let facts = unsafe bytes.withUnsafeBytes { unsafe clinux_memory_file("virtlogd", $0.baseAddress, $0.count) }
        guard facts >= 0 else { throw .system(-facts, .none, "Unable to create memory file") }
        let file = DescriptorBox(OwnedDescriptor(facts))
        notify.store(name: "\(Self.factsPrefix)\(number)", descriptors: [file.rawValue])
        notify.store(name: "\(Self.pipePrefix)\(number)", descriptors: [pipe.rawValue])
    }

    func forget(_ notify: SystemdNotify) {
        notify.removeStored(name: "\(Self.pipePrefix)\(number)")
        notify.removeStored(name: "\(Self.factsPrefix)\(number)")
    }

    private func encoded() throws(VirtError) -> [UInt8] {
        try LogDomainOpenLogFileArgs(driver: driver, dom: domain, path: path, flags: 0).encoded()
    }

    /// What an earlier process left: each pipe with what it is for. Parts without their counterpart are let go.
    static func restore(_ passed: [Activation.Passed]) -> [(log: StoredLog, pipe: DescriptorBox)] {
        var facts: [UInt64: DescriptorBox] = [:]
        var pipes: [UInt64: DescriptorBox] = [:]
        for entry in passed {
            if let number = number(entry.name, factsPrefix) { facts[number] = entry.descriptor }
            if let number = number(entry.name, pipePrefix) { pipes[number] = entry.descriptor }
        }
        return pipes.sorted { $0.key < $1.key }.compactMap { number, pipe in
            guard let file = facts[number], let arguments = decode(file) else { return nil }
            let log = StoredLog(
                number: number, driver: arguments.driver, domain: arguments.dom, path: arguments.path)
            return (log, pipe)
        }
    }

    private static func number(_ name: String, _ prefix: String) -> UInt64? {
        name.hasPrefix(prefix) ? UInt64(name.dropFirst(prefix.count)) : nil
    }

    private static func decode(_ file: DescriptorBox) -> LogDomainOpenLogFileArgs? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe pread(file.rawValue, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return try? LogDomainOpenLogFileArgs(decoding: bytes[..<count])
    }
}
