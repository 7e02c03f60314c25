import Glibc
import Testing
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

@testable import StorageDriver

@Suite("Content of volumes")
struct VolumeFileTests {
    @Test("A hole in a stream makes what was there zeros and keeps the rest")
    func holes() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/f"
        try FileSystem.atomicWrite(path, Array(repeating: 7, count: 64 << 10))
        let file = try VolumeFile(opening: path, forWriting: true)
        try file.makeHole(at: 4096, length: 8192)
        let bytes = try FileSystem.read(path)
        #expect(bytes[..<4096].allSatisfy { $0 == 7 })
        #expect(bytes[4096..<12288].allSatisfy { $0 == 0 })
        #expect(bytes[12288...].allSatisfy { $0 == 7 })
        try file.makeHole(at: 1 << 20, length: 10)
        #expect(try file.size() == 1 << 20 + 10)
        #expect(throws: VirtError.self) { try file.makeHole(at: .max, length: .max) }
    }

    @Test("Data and holes of a file are told apart")
    func extents() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/f"
        try FileSystem.atomicWrite(path, [])
        let file = try VolumeFile(opening: path, forWriting: true)
        try file.write([1], at: 1 << 20)
        truncate(path, 4 << 20)
        let first = file.extent(at: 0, end: 4 << 20)
        // File systems without holes show one run of data.
        guard !first.isData else { return }
        #expect(first.end <= 1 << 20)
        let second = file.extent(at: Int64(first.end), end: 4 << 20)
        #expect(second.isData)
        #expect(
            file.extent(at: Int64(second.end), end: 4 << 20)
                == FileExtent(start: second.end, end: 4 << 20, isData: false))
    }

    @Test("Directories and missing files open no stream")
    func open() throws {
        let scratch = try Scratch()
        #expect(throws: VirtError.system(EISDIR, .streams, "Unable to open stream for '\(scratch.path)'")) {
            try VolumeFile(opening: scratch.path, forWriting: false)
        }
        #expect(throws: VirtError.system(ENOENT, .streams, "Unable to open stream for '/nowhere/x'")) {
            try VolumeFile(opening: "/nowhere/x", forWriting: true)
        }
    }

    @Test("Offsets beyond the largest file are refused")
    func ranges() throws {
        #expect(throws: VirtError.self) { try StorageDriver.Range(offset: .max, length: 0) }
        #expect(throws: VirtError.self) { try StorageDriver.Range(offset: 1, length: .max) }
        #expect(try StorageDriver.Range(offset: 5, length: 5).end == 10)
        #expect(try StorageDriver.Range(offset: 5, length: 0).end == nil)
    }

    /// A file system of 1 MiB; only root can mount one.
    private static func mountSmall(_ path: String) -> Bool { mount("tmpfs", path, "tmpfs", 0, "size=1m") == 0 }

    @Test("A full disk leaves definitions as they are and nothing of a volume behind", .enabled(if: geteuid() == 0))
    func fullDisk() async throws {
        let scratch = try Scratch()
        guard Self.mountSmall(scratch.path) else { return }
        defer { umount2(scratch.path, 2) }
        let bench = try Bench(scratch)
        let pool = try await bench.startedPool()
        let error = await message {
            _ = try await bench.driver.createVolume(pool, Bench.volume("v", 8 << 20), flags: 0)
        }
        #expect(error == "cannot allocate 8388608 bytes in file '\(bench.place)/v': No space left on device")
        #expect(!bench.exists("v"))
        // Now the disk is full to the last block.
        let filler = try OwnedDescriptor(opening: scratch.path + "/filler", O_WRONLY | O_CREAT)
        let block = [UInt8](repeating: 1, count: 4096)
        while write(filler.rawValue, block, block.count) > 0 {}
        let path = bench.files.definitions.directory + "/p.xml"
        let before = try FileSystem.read(path)
        let changed = bench.xml(target: "/elsewhere", uuid: pool.uuid.description)
        #expect(
            await message { _ = try await bench.driver.define(changed, flags: 0) }?.hasSuffix("No space left on device")
                == true)
        #expect(try FileSystem.read(path) == before)
        #expect(pool.snapshot.nextDefinition == nil)
        let file = try VolumeFile(opening: scratch.path + "/filler", forWriting: true)
        #expect(throws: VirtError.system(ENOSPC, .streams, "cannot write to stream")) {
            try file.write([UInt8](repeating: 1, count: 4096)[...], at: 8 << 20)
        }
    }
}
