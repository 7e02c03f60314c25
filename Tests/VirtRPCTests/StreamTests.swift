import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

@Suite struct StreamTests {
    private static let volume = RemoteNonnullStorageVol(pool: "p", name: "v", key: "/p/v")

    private static func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    private func download(_ body: @escaping @Sendable (ServerStream) async throws -> Void) -> Swarm {
        Swarm { table in
            table.onStream(RemoteProgram.StorageVolDownload.self) { arguments, _ in
                StreamStart(XDRVoid(), isSparse: arguments.flags & 1 != 0, run: body)
            }
        }
    }

    private static let downloadArguments = RemoteStorageVolDownloadArgs(vol: volume, offset: 0, length: 0, flags: 0)

    @Test func `a download arrives whole, ends, and is finished`() async throws {
        let content = Self.pattern(3_000_000)
        let swarm = download { stream in try await stream.write(content) }
        let client = try await swarm.client()
        let (_, stream) = try await client.openStream(RemoteProgram.StorageVolDownload.self, Self.downloadArguments)
        var received: [UInt8] = []
        while let item = try await stream.read() {
            guard case .data(let bytes) = item else { continue }
            received += bytes
        }
        try await stream.finish()
        #expect(received == content)
        _ = try await client.call(RemoteProgram.ConnectGetLibVersion.self, XDRVoid())
    }

    @Test func `holes arrive between the data`() async throws {
        let swarm = download { stream in
            try await stream.write([1])
            try await stream.writeHole(4096)
            try await stream.write([2])
        }
        let client = try await swarm.client()
        let (_, stream) = try await client.openStream(
            RemoteProgram.StorageVolDownload.self,
            RemoteStorageVolDownloadArgs(vol: Self.volume, offset: 0, length: 0, flags: 1))
        var items: [StreamItem] = []
        while let item = try await stream.read() { items.append(item) }
        #expect(items == [.data([1]), .hole(4096), .data([2])])
        try await stream.finish()
    }

    @Test func `a failure in the middle reaches the reader`() async throws {
        let swarm = download { stream in
            try await stream.write([1])
            throw VirtError(.internalError, .storage, "disk is gone")
        }
        let client = try await swarm.client()
        let (_, stream) = try await client.openStream(RemoteProgram.StorageVolDownload.self, Self.downloadArguments)
        #expect(try await stream.read() == .data([1]))
        let error = await #expect(throws: VirtError.self) { _ = try await stream.read() }
        #expect(error?.message == "internal error: disk is gone")
    }

    @Test func `an upload is complete before its finish is answered`() async throws {
        let total = Mailbox<Int>()
        let swarm = Swarm { table in
            table.onStream(RemoteProgram.StorageVolUpload.self) { _, _ in
                StreamStart(XDRVoid()) { stream in
                    var count = 0
                    while let item = try await stream.read() {
                        if case .data(let bytes) = item { count += bytes.count }
                    }
                    total.put(count)
                }
            }
        }
        let client = try await swarm.client()
        let (_, stream) = try await client.openStream(
            RemoteProgram.StorageVolUpload.self,
            RemoteStorageVolUploadArgs(vol: Self.volume, offset: 0, length: 0, flags: 0))
        try await stream.write(Self.pattern(5_000_000))
        try await stream.finish()
        #expect(await total.take() == 5_000_000)
    }

    @Test func `an abort cancels the daemon's task and is acknowledged`() async throws {
        let cancelled = Mailbox<Bool>()
        let swarm = download { stream in
            try await stream.write([1])
            do {
                _ = try await stream.read()
            } catch {
                cancelled.put(error is CancellationError)
                throw error
            }
        }
        let client = try await swarm.client()
        let (_, stream) = try await client.openStream(RemoteProgram.StorageVolDownload.self, Self.downloadArguments)
        #expect(try await stream.read() == .data([1]))
        try await stream.abort()
        #expect(await cancelled.take() == true)
    }

    @Test func `a disconnect cancels the daemon's task`() async throws {
        let cancelled = Mailbox<Bool>()
        let swarm = download { stream in
            do {
                while true { try await stream.write(Self.pattern(500_000)) }
            } catch {
                cancelled.put(error is CancellationError)
                throw error
            }
        }
        let client = try await swarm.client()
        _ = try await client.openStream(RemoteProgram.StorageVolDownload.self, Self.downloadArguments)
        client.close()
        #expect(await cancelled.take() == true)
    }
}
