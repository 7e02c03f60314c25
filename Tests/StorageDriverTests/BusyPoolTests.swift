import Glibc
import Synchronization
import Testing
import VirtCore
import VirtModel
import VirtOS

@testable import StorageDriver

@Suite("Pools with jobs under way")
struct BusyPoolTests {
    @Test("A pool with a volume in use refuses to stop; a refresh leaves that volume as it is")
    func inUse() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        let driver = bench.driver
        _ = try await driver.createVolume(pool, Bench.volume("v", 512), flags: 0)
        try await driver.using(pool, "v") { _ in
            #expect(
                await message { try await driver.stop(pool) }
                    == "internal error: pool 'p' has asynchronous jobs running.")
            #expect(
                await message { try await driver.deleteVolume(pool, "v", flags: 0) }
                    == "Requested operation is not valid: volume 'v' is still in use.")
            unlink(bench.place + "/v")
            try await driver.refresh(pool)
            #expect(pool.snapshot.volumes["v"] != nil)
        }
        try await driver.refresh(pool)
        #expect(pool.snapshot.volumes["v"] == nil)
        try await driver.stop(pool)
    }

    @Test("A volume that is being made can be neither used nor deleted, and others are made meanwhile")
    func building() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        let driver = bench.driver
        _ = try await driver.createVolume(pool, Bench.volume("v", 512), flags: 0)
        pool.update { $0.volumes["v"]?.isBuilding = true }
        let text = "Requested operation is not valid: volume 'v' is still being allocated."
        #expect(await message { try await driver.deleteVolume(pool, "v", flags: 0) } == text)
        #expect(await message { try await driver.wipeVolume(pool, "v", algorithm: 0, flags: 0) } == text)
        _ = try await driver.createVolume(pool, Bench.volume("w", 512), flags: 0)
        #expect(pool.snapshot.volumes.keys.sorted() == ["v", "w"])
    }

    @Test("A volume is free again when a client leaves before its upload began")
    func abandonedUpload() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        _ = try await bench.driver.createVolume(pool, Bench.volume("v", 512), flags: 0)
        let loop = EventLoopGroup(count: 1).next()
        let range = try StorageDriver.Range(offset: 0, length: 0)
        do {
            let run = try await bench.driver.upload(pool, "v", range, flags: 0, on: loop)
            #expect(pool.snapshot.longJobs == 1)
            _ = run
        }
        #expect(pool.snapshot.longJobs == 0)
        #expect(pool.snapshot.volumes["v"]?.uses == 0)
        // One that cannot begin leaves nothing either.
        unlink(bench.place + "/v")
        #expect(
            await message { _ = try await bench.driver.upload(pool, "v", range, flags: 0, on: loop) }
                == "Unable to open stream for '\(bench.place)/v': No such file or directory")
        #expect(pool.snapshot.longJobs == 0)
    }

    @Test("What was made while a refresh looked around is not lost")
    func madeMeanwhile() throws {
        var state = PoolState(definition: StoragePool())
        let before = state.changes
        var volume = StorageVolume()
        volume.name = "new"
        state.put(volume)
        state.take(PoolContents(), since: before)
        #expect(state.volumes.keys.sorted() == ["new"])
        state.take(PoolContents(), since: state.changes)
        #expect(state.volumes.isEmpty)
    }

    @Test("Many clients at once get one volume each, or the error that its name is taken")
    func concurrent() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        let driver = bench.driver
        let made = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<40 {
                group.addTask {
                    let xml = Bench.volume("v\(index % 20)", 512)
                    return (try? await driver.createVolume(pool, xml, flags: 0)) != nil
                }
            }
            for _ in 0..<5 { group.addTask { (try? await driver.refresh(pool)) == nil } }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(made == 20)
        #expect(pool.snapshot.volumes.count == 20)
        #expect(pool.snapshot.longJobs == 0)
    }

    @Test("Jobs pass one at a time")
    func jobLock() async throws {
        let lock = JobLock()
        let inside = Inside()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await lock.run {
                        inside.change(by: 1)
                        await Task.yield()
                        inside.change(by: -1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(inside.most == 1)
    }

    /// How many are inside at once.
    private final class Inside: Sendable {
        private let state = Mutex((now: 0, most: 0))
        var most: Int { state.withLock { $0.most } }

        func change(by step: Int) {
            state.withLock { state in
                state.now += step
                state.most = max(state.most, state.now)
            }
        }
    }

    @Test("The space of a pool never goes below nothing")
    func accounting() {
        var state = PoolState(definition: StoragePool())
        state.definition.available = 10
        state.account(allocated: 100)
        #expect(state.definition.available == 0)
        state.account(freed: .max)
        #expect(state.definition.allocation == 0)
        #expect(state.definition.available == .max)
    }
}
