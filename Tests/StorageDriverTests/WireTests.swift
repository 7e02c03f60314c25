import Glibc
import Synchronization
import Testing
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

@testable import StorageDriver

/// The driver behind a server, and a client of it.
private final class WireBench: Sendable {
    let bench: Bench
    let client: RPCClient
    private let server: RPCServer

    init() async throws {
        bench = try Bench()
        var table = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.install(into: &table, ConnectionOptions(scheme: "storage", type: "storage"))
        StorageHandlers(bench.driver).install(into: &table)
        let loops = EventLoopGroup(count: 2)
        server = RPCServer(name: "test", loops: loops, programs: [table])
        let pair = try UnixSocket.pair()
        let near = pair.first
        let far = pair.second
        server.adopt(far, readOnly: false, authentication: .none)
        client = try await RPCClient(adopting: near, loop: loops.next())
        _ = try await client.call(RemoteProgram.AuthList.self, XDRVoid())
        let arguments = RemoteConnectOpenArgs(name: "storage:///system", flags: 0)
        _ = try await client.call(RemoteProgram.ConnectOpen.self, arguments)
    }

    /// Pool `p`, started by calls.
    func pool() async throws -> RemoteNonnullStoragePool {
        let arguments = RemoteStoragePoolDefineXmlArgs(xml: bench.xml(), flags: 0)
        let pool = try await client.call(RemoteProgram.StoragePoolDefineXml.self, arguments).pool
        let build = RemoteStoragePoolBuildArgs(pool: pool, flags: 0)
        _ = try await client.call(RemoteProgram.StoragePoolBuild.self, build)
        let start = RemoteStoragePoolCreateArgs(pool: pool, flags: 0)
        _ = try await client.call(RemoteProgram.StoragePoolCreate.self, start)
        return pool
    }

    func volume(
        _ pool: RemoteNonnullStoragePool, _ name: String, _ size: UInt64
    ) async throws -> RemoteNonnullStorageVol {
        let xml = Bench.volume(name, size, "<allocation>0</allocation>")
        let arguments = RemoteStorageVolCreateXmlArgs(pool: pool, xml: xml, flags: 0)
        return try await client.call(RemoteProgram.StorageVolCreateXml.self, arguments).vol
    }

    func stop() async {
        client.close()
        await server.stop()
    }
}

@Suite("Storage calls over the wire")
struct WireTests {
    @Test("Content goes in and comes out unchanged, from any place and of any length")
    func streams() async throws {
        let wire = try await WireBench()
        let volume = try await wire.volume(try await wire.pool(), "v", 1 << 20)
        let content = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let upload = RemoteStorageVolUploadArgs(vol: volume, offset: 1000, length: 0, flags: 0)
        let (_, sink) = try await wire.client.openStream(RemoteProgram.StorageVolUpload.self, upload)
        try await sink.write(content)
        try await sink.finish()
        #expect(try wire.bench.read("v")[1000..<601_000].elementsEqual(content))

        let download = RemoteStorageVolDownloadArgs(vol: volume, offset: 1000, length: 600_000, flags: 0)
        let (_, source) = try await wire.client.openStream(RemoteProgram.StorageVolDownload.self, download)
        var received: [UInt8] = []
        while let item = try await source.read() {
            if case .data(let bytes) = item { received += bytes }
        }
        try await source.finish()
        #expect(received == content)
        await wire.stop()
    }

    @Test("Holes stay holes in both directions")
    func sparse() async throws {
        let wire = try await WireBench()
        let pool = try await wire.pool()
        let volume = try await wire.volume(pool, "v", 8 << 20)
        let upload = RemoteStorageVolUploadArgs(vol: volume, offset: 0, length: 0, flags: 1)
        let (_, sink) = try await wire.client.openStream(RemoteProgram.StorageVolUpload.self, upload)
        try await sink.writeHole(4 << 20)
        try await sink.write(Array(repeating: 9, count: 4096))
        try await sink.writeHole(4 << 20 - 4096)
        try await sink.finish()
        let bytes = try wire.bench.read("v")
        #expect(bytes.count == 8 << 20)
        #expect(bytes[(4 << 20)..<(4 << 20 + 4096)].allSatisfy { $0 == 9 })

        let download = RemoteStorageVolDownloadArgs(vol: volume, offset: 0, length: 0, flags: 1)
        let (_, source) = try await wire.client.openStream(RemoteProgram.StorageVolDownload.self, download)
        var (data, holes): (Int64, Int64) = (0, 0)
        while let item = try await source.read() {
            switch item {
            case .data(let bytes): data += Int64(bytes.count)
            case .hole(let length): holes += length
            }
        }
        try await source.finish()
        #expect(data + holes == 8 << 20)
        #expect(data < 1 << 20)
        await wire.stop()
    }

    @Test("More bytes than announced are refused, and the volume is free again")
    func tooMuch() async throws {
        let wire = try await WireBench()
        let volume = try await wire.volume(try await wire.pool(), "v", 4096)
        let upload = RemoteStorageVolUploadArgs(vol: volume, offset: 0, length: 10, flags: 0)
        let (_, sink) = try await wire.client.openStream(RemoteProgram.StorageVolUpload.self, upload)
        let text = await message {
            try await sink.write(Array(repeating: 1, count: 30))
            try await sink.finish()
        }
        #expect(text == "cannot write to stream: No space left on device")
        let delete = RemoteStorageVolDeleteArgs(vol: volume, flags: 0)
        _ = try await wire.client.call(RemoteProgram.StorageVolDelete.self, delete)
        await wire.stop()
    }

    @Test("Events tell what happens to pools, to those who asked for it")
    func events() async throws {
        let wire = try await WireBench()
        let (stream, continuation) = AsyncStream<String>.makeStream()
        wire.client.onEvent(RemoteProgram.StoragePoolEventLifecycle.self) { message in
            continuation.yield("lifecycle \(message.event)")
        }
        wire.client.onEvent(RemoteProgram.StoragePoolEventRefresh.self) { _ in continuation.yield("refresh") }
        for kind: Int32 in [0, 1] {
            let arguments = RemoteConnectStoragePoolEventRegisterAnyArgs(eventID: kind, pool: nil)
            _ = try await wire.client.call(RemoteProgram.ConnectStoragePoolEventRegisterAny.self, arguments)
        }
        let pool = try await wire.pool()
        _ = try await wire.client.call(
            RemoteProgram.StoragePoolRefresh.self, RemoteStoragePoolRefreshArgs(pool: pool, flags: 0))
        _ = try await wire.client.call(RemoteProgram.StoragePoolDestroy.self, RemoteStoragePoolDestroyArgs(pool: pool))
        _ = try await wire.client.call(
            RemoteProgram.StoragePoolUndefine.self, RemoteStoragePoolUndefineArgs(pool: pool))
        var seen: [String] = []
        for await event in stream {
            seen.append(event)
            if event == "lifecycle 1" { break }
        }
        // Defined, built, started, refreshed, stopped, undefined.
        #expect(seen == ["lifecycle 0", "lifecycle 4", "lifecycle 2", "refresh", "lifecycle 3", "lifecycle 1"])
        await wire.stop()
    }

    @Test("Lists are filtered by state and type")
    func lists() async throws {
        let wire = try await WireBench()
        _ = try await wire.pool()
        func names(_ flags: UInt32) async throws -> [String] {
            let arguments = RemoteConnectListAllStoragePoolsArgs(needResults: 1, flags: flags)
            return try await wire.client.call(RemoteProgram.ConnectListAllStoragePools.self, arguments).pools.map {
                $0.name
            }
        }
        #expect(try await names(0) == ["p"])
        #expect(try await names(2 | 4 | 1 << 6) == ["p"])
        #expect(try await names(1) == [])
        #expect(try await names(1 << 9) == [])
        #expect(
            await message { _ = try await names(1 << 30) }
                == "unsupported flags (0x40000000) in function storageConnectListAllStoragePools")
        await wire.stop()
    }
}
