import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Looks at the bytes of a guest's memory and disks.
enum PeekHandlers {
    /// Bytes of a reply at most (REMOTE_DOMAIN_BLOCK_PEEK_BUFFER_MAX, REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX).
    private static let (largestBlock, largestMemory): (UInt32, UInt32) = (4 << 20, 65536)

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onAsync(RemoteProgram.DomainBlockPeek.self) { arguments, _ in
            try check(arguments.size, largestBlock)
            try arguments.flags.checkFlags(0, "qemuDomainBlockPeek")
            let name = arguments.path
            let path = try image(registry.snapshot(arguments.dom).current(), name)
            return .init(
                buffer: try await BlockingPool.shared.run {
                    try read(path, called: name, arguments.offset, arguments.size)
                })
        }
        table.onAsync(RemoteProgram.DomainMemoryPeek.self) { arguments, caller in
            try check(arguments.size, largestMemory)
            let actor = try registry.actor(arguments.dom)
            return .init(
                buffer: try await actor.peek(
                    arguments.offset, arguments.size, flags: arguments.flags, caller.client))
        }
    }

    private static func check(_ size: UInt32, _ largest: UInt32) throws(VirtError) {
        guard size <= largest else { throw VirtError(.internalError, .rpc, "size > maximum buffer size") }
    }

    /// The file of a disk, whose bytes are the guest's.
    private static func image(_ domain: Domain, _ name: String) throws(VirtError) -> String {
        guard let index = domain.diskIndex(name) else {
            throw VirtError(.invalidArg, .qemu, "disk '\(name)' not found in domain")
        }
        let disk = domain.devices.disks[index]
        let format = disk.source.isEmpty ? "none" : disk.driver?.type ?? "raw"
        guard format == "raw" else {
            throw VirtError(
                .operationUnsupported, .qemu, "peeking is only supported for disk with 'raw' format not '\(format)'")
        }
        guard let path = disk.source.localPath else {
            throw VirtError(.operationUnsupported, .qemu, "peeking at disk '\(name)', which is no file of this host")
        }
        return path
    }

    /// Bytes of a file, all of which must be there.
    static func read(
        _ path: String, called name: String, _ offset: UInt64, _ size: UInt32
    ) throws(VirtError) -> [UInt8] {
        let file = try OwnedDescriptor(opening: path, O_RDONLY | O_NONBLOCK)
        let end = lseek(file.rawValue, 0, SEEK_END)
        guard end >= 0 else { throw .system(errno, .qemu, "cannot seek in '\(path)'") }
        let available = offset < UInt64(end) ? UInt64(end) - offset : 0
        guard available >= UInt64(size) else {
            throw VirtError(
                .invalidArg, .qemu, "'\(name)' starting from \(offset) has only \(available) bytes available")
        }
        return try FileSystem.start(of: file.rawValue, at: Int(min(offset, UInt64(end))), Int(size), name: path)
    }
}

extension DomainActor {
    /// virDomainMemoryPeek: VIR_MEMORY_VIRTUAL is 1, VIR_MEMORY_PHYSICAL 2. QEMU writes the bytes into a file.
    fileprivate func peek(
        _ offset: UInt64, _ size: UInt32, flags: UInt32, _ client: ClientHandle
    ) async throws -> [UInt8] {
        guard flags == 1 || flags == 2 else {
            throw VirtError(
                .invalidArg, .qemu, "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL")
        }
        return try await withJob(.query, "virDomainMemoryPeek", client: client.id) {
            let (_, runtime) = try self.running()
            let path = try self.temporaryFile(runtime.libraryPath + "/qemu.mem.XXXXXX")
            defer { unsafe unlink(path) }
            try await self.command(
                flags == 1 ? "memsave" : "pmemsave",
                ["val": .integer(offset), "size": .integer(size), "filename": .string(path)])
            return try await BlockingPool.shared.run { try PeekHandlers.read(path, called: path, 0, size) }
        }
    }
}
