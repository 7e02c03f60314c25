import Glibc
import Testing
import VirtCore
import VirtModel
import VirtOS

@testable import StorageDriver

@Suite("Volumes")
struct VolumeTests {
    @Test("A raw volume has the size and the space that it asked for")
    func createRaw() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        let more = "<allocation>0</allocation>"
        let volume = try await bench.driver.createVolume(pool, Bench.volume("v", 1 << 20, more), flags: 0)
        #expect(volume.capacity == 1 << 20)
        #expect(volume.allocation == 0)
        #expect(volume.target.permissions?.mode == 0o600)
        let full = try await bench.driver.createVolume(pool, Bench.volume("f", 1 << 20), flags: 0)
        #expect(full.allocation == 1 << 20)
        #expect(pool.snapshot.longJobs == 0)
    }

    @Test("A volume's name and place must be free")
    func taken() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        _ = try await bench.driver.createVolume(pool, Bench.volume("v", 512), flags: 0)
        #expect(
            await message { _ = try await bench.driver.createVolume(pool, Bench.volume("v", 512), flags: 0) }
                == "storage volume 'v' exists already")
        try bench.write("there", [1])
        #expect(
            await message { _ = try await bench.driver.createVolume(pool, Bench.volume("there", 512), flags: 0) }
                == "Requested operation is not valid: volume target path '\(bench.place)/there' already exists")
        #expect(try bench.read("there") == [1])
        #expect(
            await message { _ = try await bench.driver.createVolume(pool, Bench.volume("a/b", 512), flags: 0) }
                == "Requested operation is not valid: volume name 'a/b' cannot contain '/'")
    }

    @Test("A volume that qemu-img fails to make leaves neither file nor name")
    func failingTool() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        bench.tools.fail(with: VirtError(.internalError, .none, "qemu-img failed"))
        let xml = Bench.volume("q", 1 << 20, "<target><format type='qcow2'/></target>")
        #expect(
            await message { _ = try await bench.driver.createVolume(pool, xml, flags: 0) }
                == "internal error: qemu-img failed")
        #expect(!bench.exists("q"))
        #expect(pool.snapshot.volumes.isEmpty)
        #expect(pool.snapshot.longJobs == 0)
        bench.tools.fail(with: nil)
        let volume = try await bench.driver.createVolume(pool, xml, flags: 0)
        #expect(volume.capacity == 16 << 20)
        #expect(bench.tools.commands.last == "qemu-img create -f qcow2 -o compat=0.10 \(bench.place)/q 1024K")
    }

    @Test("A copy has the content of its origin and its holes")
    func copy() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        _ = try await bench.driver.createVolume(
            pool, Bench.volume("v", 4 << 20, "<allocation>0</allocation>"), flags: 0)
        let file = try VolumeFile(opening: "\(bench.place)/v", forWriting: true)
        try file.write([1, 2, 3], at: 2 << 20)
        let xml = "<volume><name>c</name><allocation>0</allocation></volume>"
        let copy = try await bench.driver.cloneVolume(pool, xml, from: (pool, "v"), flags: 0)
        #expect(copy.capacity == 4 << 20)
        #expect((copy.allocation ?? .max) < 1 << 20)
        #expect(try bench.read("c") == bench.read("v"))
        #expect(
            await message { _ = try await bench.driver.cloneVolume(pool, xml, from: (pool, "v"), flags: 0) }
                == "internal error: storage volume name 'c' already in use.")
        #expect(pool.snapshot.volumes["v"]?.uses == 0)
    }

    @Test("Sizes change as libvirt allows it")
    func resize() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        let driver = bench.driver
        _ = try await driver.createVolume(pool, Bench.volume("v", 8 << 20, "<allocation>4096</allocation>"), flags: 0)
        func capacity() -> UInt64? { pool.snapshot.volumes["v"]?.volume.capacity }
        #expect(
            await message { try await driver.resizeVolume(pool, "v", capacity: 1 << 20, flags: 0) }
                == "invalid argument: Can't shrink capacity below current capacity unless shrink flag explicitly specified"
        )
        #expect(
            await message { try await driver.resizeVolume(pool, "v", capacity: 512, flags: StorageFlag.resizeShrink) }
                == "invalid argument: can't shrink capacity below existing allocation")
        try await driver.resizeVolume(pool, "v", capacity: 4 << 20, flags: StorageFlag.resizeShrink)
        #expect(capacity() == 4 << 20)
        try await driver.resizeVolume(pool, "v", capacity: 1 << 20, flags: StorageFlag.resizeDelta)
        #expect(capacity() == 5 << 20)
        let both = StorageFlag.resizeDelta | StorageFlag.resizeShrink
        try await driver.resizeVolume(pool, "v", capacity: 2 << 20, flags: both)
        #expect(capacity() == 3 << 20)
        #expect(
            await message { try await driver.resizeVolume(pool, "v", capacity: .max, flags: both) }
                == "invalid argument: can't shrink capacity below existing allocation")
    }

    @Test("A wiped volume is all zeros and raw")
    func wipe() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        try bench.write("q", Header.qcow2(version: 3).bytes)
        try await bench.driver.refresh(pool)
        #expect(pool.snapshot.volumes["q"]?.volume.target.format == .qcow2)
        try await bench.driver.wipeVolume(pool, "q", algorithm: 0, flags: 0)
        #expect(try bench.read("q").allSatisfy { $0 == 0 })
        #expect(pool.snapshot.volumes["q"]?.volume.target.format == .raw)
        #expect(
            await message { try await bench.driver.wipeVolume(pool, "q", algorithm: 99, flags: 0) }
                == "invalid argument: wiping algorithm 99 not supported")
        #expect(
            await message { try await bench.driver.wipeVolume(pool, "q", algorithm: 9, flags: 0) }
                == "argument unsupported: 'trim' algorithm not supported")
        try await bench.driver.wipeVolume(pool, "q", algorithm: 1, flags: 0)
        #expect(bench.tools.commands.last == "scrub -f -p nnsa \(bench.place)/q")
    }

    @Test("A refresh shows files, directories and links, and leaves out what is no volume")
    func refresh() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        try bench.write("file", Array(repeating: 7, count: 100))
        mkdir(bench.place + "/dir", 0o755)
        mkfifo(bench.place + "/fifo", 0o600)
        symlink("/nonexistent", bench.place + "/dangling")
        symlink("loop", bench.place + "/loop")
        symlink("file", bench.place + "/link")
        symlink("/dev/null", bench.place + "/null")
        try bench.write("control\u{1}", [])
        try bench.write("over", Header.qcow2(version: 2).big64(8, 512).big32(16, 4).text(512, "file").bytes)
        try await bench.driver.refresh(pool)
        let volumes = pool.snapshot.sortedVolumes
        #expect(volumes.map { $0.name } == ["dir", "file", "link", "over"])
        #expect(volumes[0].kind == .dir)
        #expect(volumes[1].capacity == 100)
        #expect(volumes[3].backing?.path == bench.place + "/file")
        #expect(volumes[3].backing?.format == .raw)
        #expect(volumes[3].backing?.permissions?.mode == 0o600)
    }

    @Test("A volume that is gone is found out when it is looked at, and can still be deleted")
    func gone() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        _ = try await bench.driver.createVolume(pool, Bench.volume("v", 512), flags: 0)
        unlink(bench.place + "/v")
        #expect(
            await message { _ = try await bench.driver.currentVolume(pool, "v") }
                == "Storage volume not found: no storage vol with matching path '\(bench.place)/v'")
        try await bench.driver.deleteVolume(pool, "v", flags: 0)
        #expect(pool.snapshot.volumes.isEmpty)
    }

    @Test("A directory that is not empty is not deleted")
    func fullDirectory() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        mkdir(bench.place + "/d", 0o755)
        try bench.write("d/x", [1])
        try await bench.driver.refresh(pool)
        #expect(
            await message { try await bench.driver.deleteVolume(pool, "d", flags: 0) }
                == "cannot remove directory '\(bench.place)/d': Directory not empty")
        #expect(pool.snapshot.volumes["d"] != nil)
    }
}
