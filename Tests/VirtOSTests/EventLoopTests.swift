import Glibc
import Synchronization
import Testing
import VirtCore

@testable import VirtOS

/// An actor that lives on a loop.
private actor Resident {
    let loop: EventLoop
    var count = 0

    init(_ loop: EventLoop) { self.loop = loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    func add() -> Bool {
        count += 1
        return loop.inLoop
    }

    nonisolated func addFromCallback() -> Int {
        assumeIsolated { resident in
            resident.count += 1
            return resident.count
        }
    }
}

@Suite struct EventLoopTests {
    @Test func `closures run on the loop in the order they were given`() async throws {
        let loop = try EventLoop(name: "test")
        let seen = Mutex<[Int]>([])
        for number in 0..<1000 { loop.execute { seen.withLock { $0.append(number) } } }
        #expect(try await loop.run { loop.inLoop && EventLoop.current === loop })
        #expect(!loop.inLoop && EventLoop.current == nil)
        #expect(seen.withLock { $0 } == Array(0..<1000))
        loop.shutdown()
    }

    @Test func `many threads hand over work without losing any`() async throws {
        let loop = try EventLoop(name: "test")
        let total = LoopState(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<2000 { loop.execute { total.value += 1 } } }
            }
        }
        #expect(try await loop.run { total.value } == 16000)
        loop.shutdown()
    }

    @Test func `an actor on the loop runs there, and is reached from the loop's callbacks`() async throws {
        let loop = try EventLoop(name: "test")
        let resident = Resident(loop)
        #expect(await resident.add())
        #expect(try await loop.run { resident.addFromCallback() } == 2)
        loop.shutdown()
    }

    @Test func `a task that prefers the loop runs there, and so do its children`() async throws {
        let loop = try EventLoop(name: "test")
        let inLoop = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<10 {
                group.addTask(executorPreference: loop) {
                    await Task.yield()
                    async let child = loop.inLoop
                    return await child && loop.inLoop
                }
            }
            return await group.reduce(true) { $0 && $1 }
        }
        #expect(inLoop)
        loop.shutdown()
    }

    @Test func `a busy task does not starve descriptors or timers`() async throws {
        let loop = try EventLoop(name: "test")
        let pair = try UnixSocket.pair()
        let (near, far) = (pair.first.rawValue, pair.second.rawValue)
        let isOver = Flag()
        let spins = Atomic(0)
        let busy = Task(executorPreference: loop) {
            while !isOver.isSet {
                spins.wrappingAdd(1, ordering: .relaxed)
                await Task.yield()
            }
        }
        while spins.load(ordering: .relaxed) == 0 { await Task.yield() }
        // 200 echoes and a timer get through although the loop is never idle.
        let echoes: Int = try await loop.waitFor { done in
            let seen = LoopState(0)
            let watch = try loop.watch(near, .read) { _ in
                var byte: UInt8 = 0
                guard read(near, &byte, 1) == 1 else { return }
                seen.value += 1
                if seen.value == 200 { loop.schedule(after: .milliseconds(1)) { done(seen.value) } }
            }
            _ = watch
            _ = write(far, [UInt8](repeating: 1, count: 200), 200)
        }
        isOver.set()
        await busy.value
        #expect(echoes == 200)
        loop.shutdown()
    }

    @Test func `a callback that stalls the loop is reported with its name`() async throws {
        let stalls = Mutex<[Stall]>([])
        let loop = try EventLoop(name: "slow", stallLimit: .milliseconds(20)) { stall in
            stalls.withLock { $0.append(stall) }
        }
        let _: Bool = try await loop.waitFor { done in
            loop.schedule(after: .zero, name: "sluggard") {
                let end = MonotonicTime.now() + .milliseconds(60)
                while MonotonicTime.now() < end {}
                loop.schedule(after: .zero) { done(true) }
            }
        }
        loop.shutdown()
        let seen = stalls.withLock { $0 }
        #expect(seen.first?.work.description == "the timer 'sluggard'")
        #expect(seen.first.map { $0.duration >= .milliseconds(40) } == true)
    }

    @Test func `shutting down runs what was given before, and can happen on the loop itself`() async throws {
        let loop = try EventLoop(name: "test")
        let count = LoopState(0)
        for _ in 0..<500 { loop.execute { count.value += 1 } }
        loop.shutdown()
        #expect(count.value == 500)
        let other = try EventLoop(name: "test")
        let _: Bool = try await other.waitFor { done in
            other.shutdown()
            done(true)
        }
    }

    @Test func `a group has a loop per processor and hands them out in turn`() {
        #expect(EventLoopGroup().loops.count == HostInfo.processors)
        let group = EventLoopGroup(count: 3)
        let names = (0..<6).map { _ in group.next().name }
        #expect(names == ["loop-0", "loop-1", "loop-2", "loop-0", "loop-1", "loop-2"])
        group.shutdown()
    }
}
