import CLinux
import Glibc
package import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

/// What a log's pipe is for, as it outlives the process. In systemd's descriptor store the next process of the service
/// finds the pipe, whatever happened to this one; the pipe and a memory file that says what it is have names with the same
/// number. To a program that takes the place of this one it goes in libvirt's document.
package struct StoredLog: Equatable, Sendable {
    /// The pipe's own number in the kernel: every program of the process finds the same names.
    let number: UInt64
    let driver: String
    let domain: LogDomain
    let path: String

    init(number: UInt64, driver: String, domain: LogDomain, path: String) {
        self.number = number
        self.driver = driver
        self.domain = domain
        self.path = path
    }

    init(of pipe: DescriptorBox, driver: String, domain: LogDomain, path: String) throws(VirtError) {
        self.init(number: try Self.number(of: pipe), driver: driver, domain: domain, path: path)
    }

    static func number(of pipe: DescriptorBox) throws(VirtError) -> UInt64 {
        var status = stat()
        guard unsafe fstat(pipe.rawValue, &status) == 0 else { throw .system(errno, .none, "Unable to ask a pipe") }
        return UInt64(status.st_ino)
    }

    /// Reads an entry of "files" in libvirt's document.
    package init(_ file: JSONObject, number: UInt64) throws(VirtError) {
        let text = try file.requiredString("domuuid")
        guard let uuid = UUID(parsing: text) else {
            throw VirtError(.internalError, .none, "Malformed 'domuuid' in JSON document")
        }
        let domain = LogDomain(uuid: uuid, name: try file.requiredString("domname"))
        self.init(
            number: number, driver: try file.requiredString("driver"), domain: domain,
            path: try file.requiredString("path"))
    }

    /// - Parameter isStored: systemd has the pipe too; C's virtlogd does not know this.
    package func document(pipe: Int32, isStored: Bool) -> JSONObject {
        var file: JSONObject = [
            "pipefd": .integer(pipe), "path": .string(path), "driver": .string(driver),
            "domname": .string(domain.name), "domuuid": .string(domain.uuid.description),
        ]
        if isStored { file["stored"] = true }
        return file
    }

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
        forgetFacts(notify)
    }

    func forgetFacts(_ notify: SystemdNotify) { notify.removeStored(name: "\(Self.factsPrefix)\(number)") }

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
