import VirtCore
import VirtModel
import VirtOS

/// How a pool's directory comes by its file system. Besides `isMounted`, pure.
enum StorageMount: Sendable {
    case device
    case network

    /// What is mounted: a device, or a path on a host.
    func source(_ pool: StoragePool) throws(VirtError) -> String {
        switch self {
        case .device:
            guard pool.source.devices.count == 1, let path = pool.source.devices[0].path else {
                throw VirtError(.internalError, .storage, "missing source device")
            }
            return path
        case .network:
            guard pool.source.hosts.count == 1 else {
                throw VirtError(.internalError, .storage, "Expected exactly 1 host for the storage pool")
            }
            guard let host = pool.source.hosts[0].name else {
                throw VirtError(.internalError, .storage, "missing source host")
            }
            guard let directory = pool.source.directory else {
                throw VirtError(.internalError, .storage, "missing source path")
            }
            if pool.source.format == "cifs" {
                return "//\(host)/" + (directory.hasPrefix("/") ? String(directory.dropFirst()) : directory)
            }
            return "\(host):\(directory)"
        }
    }

    /// mount(8)'s arguments, as libvirt writes them.
    func arguments(_ pool: StoragePool) throws(VirtError) -> [String] {
        let source = try source(pool)
        var options = ["nodev", "nosuid", "noexec"]
        let format = pool.source.format ?? "auto"
        if let version = pool.source.protocolVersion { options.append("nfsvers=\(version)") }
        if self == .network, format == "cifs" { options.append("guest") }
        if self == .network, format == "glusterfs" { options.append("direct-io-mode=1") }
        options += pool.mountOptions
        var arguments = ["-o", options.joined(separator: ",")]
        if format != "auto" { arguments += ["-t", format] }
        return arguments + [source, pool.targetPath]
    }

    /// Whether the source is mounted at the pool's place.
    func isMounted(_ pool: StoragePool) throws(VirtError) -> Bool {
        let source = try source(pool)
        let text = String(decoding: try FileSystem.read("/proc/mounts"), as: UTF8.self)
        return text.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ").map { Self.unescaped($0) }
            return fields.count > 1 && fields[0] == source && fields[1] == pool.targetPath
        }
    }

    /// The kernel writes blanks in names as octal escapes.
    static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = field.utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let digits = String(rest.prefix(3)), digits.utf8.count == 3,
                let value = UInt8(digits, radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The file systems that a host exports, as a `<sources>` document.
    static func exports(of host: String, _ tools: any ToolRunner) async throws -> String {
        let output: [UInt8]
        do {
            output = try await tools.run("showmount", ["--no-headers", "--exports", host])
        } catch is VirtError {
            throw VirtError(.operationFailed, .storage, "no storage pools were found on host '\(host)'")
        }
        let paths = String(decoding: output, as: UTF8.self).split(separator: "\n").compactMap { line in
            line.hasPrefix("/") ? line.split(separator: " ").first.map { String($0) } : nil
        }
        guard !paths.isEmpty else {
            throw VirtError(.operationFailed, .storage, "no storage pools were found on host '\(host)'")
        }
        return document(host, paths)
    }

    private static func document(_ host: String, _ paths: [String]) -> String {
        func escaped(_ text: String) -> String {
            text.map { character -> String in
                switch character {
                case "<": "&lt;"
                case ">": "&gt;"
                case "&": "&amp;"
                case "'": "&apos;"
                default: String(character)
                }
            }.joined()
        }
        let sources = paths.map { path in
            """
              <source>
                <host name='\(escaped(host))'/>
                <dir path='\(escaped(path))'/>
                <format type='nfs'/>
              </source>

            """
        }
        return "<sources>\n" + sources.joined() + "</sources>\n"
    }
}

extension DirectoryBackend {
    /// mkfs on the pool's device, which must be empty unless it may be overwritten.
    func makeFileSystem(_ pool: StoragePool, overwrites: Bool) async throws {
        guard mount == .device, let device = pool.source.devices.first?.path else {
            throw VirtError(
                .operationInvalid, .storage, "No source device specified when formatting pool '\(pool.name)'")
        }
        guard let format = pool.source.format, format != "auto" else {
            throw VirtError(
                .operationInvalid, .storage, "No format specified when formatting pool '\(pool.name)'")
        }
        guard FileSystem.exists(device) else {
            throw VirtError(
                .operationInvalid, .storage, "Source device does not exist when formatting pool '\(pool.name)'")
        }
        if !overwrites {
            let isEmpty = try await BlockingPool.shared.run {
                try FileSystem.start(of: device, 1 << 17).allSatisfy { $0 == 0 }
            }
            guard isEmpty else {
                throw VirtError(
                    .storagePoolBuilt, .storage,
                    "Format of device '\(device)' does not match the expected format '\(format)', "
                        + "forced overwrite is necessary")
            }
        }
        let force = format.hasPrefix("ext") ? ["-F"] : format == "xfs" ? ["-f"] : []
        try await environment.tools.run("mkfs", ["-t", format] + force + [device])
    }
}
