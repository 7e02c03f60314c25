import Glibc
import Synchronization
import Testing

@testable import VirtOS

@Suite struct BlockingPoolTests {
    struct Failure: Error {}

    /// How many run at once.
    final class Meter: Sendable {
        let running = Atomic(0)
        let most = Atomic(0)

        func enter() { most.max(running.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed) }
        func leave() { running.wrappingSubtract(1, ordering: .relaxed) }
    }

    @Test func `results and errors come back from another thread`() async throws {
        let pool = BlockingPool(maximumThreads: 2)
        let here = pthread_self()
        #expect(try await pool.run { pthread_equal(here, pthread_self()) == 0 } == true)
        await #expect(throws: Failure.self) { try await pool.run { throw Failure() } }
    }

    @Test func `threads start as needed, up to the bound, and work beyond it waits`() async throws {
        let pool = BlockingPool(maximumThreads: 3)
        let gate = Monitor(false)
        let meter = Meter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    _ = try? await pool.run {
                        meter.enter()
                        gate.wait(patience: .seconds(60)) { isOpen, isLate in isOpen || isLate ? () : nil }
                        gate.withLock { _, wakeOne in wakeOne() }
                        meter.leave()
                    }
                }
            }
            while pool.usage.waiting < 17 || meter.running.load(ordering: .relaxed) < 3 { await Task.yield() }
            #expect(pool.usage.threads == 3)
            gate.withLock { isOpen, wakeOne in
                isOpen = true
                wakeOne()
            }
        }
        #expect(meter.most.load(ordering: .relaxed) == 3)
        #expect(pool.usage.waiting == 0)
        #expect(pool.usage.mostWaiting >= 17)
    }

    @Test func `work whose task was cancelled before its turn is not done`() async throws {
        let pool = BlockingPool(maximumThreads: 1)
        let gate = Monitor(false)
        let blocker = Task {
            try await pool.run { gate.wait(patience: .seconds(60)) { isOpen, isLate in isOpen || isLate ? () : nil } }
        }
        while pool.usage.threads == 0 || pool.usage.waiting > 0 { await Task.yield() }
        let wasDone = Flag()
        let queued = Task { try await pool.run { wasDone.set() } }
        while pool.usage.waiting == 0 { await Task.yield() }
        queued.cancel()
        gate.withLock { isOpen, wakeOne in
            isOpen = true
            wakeOne()
        }
        try await blocker.value
        await #expect(throws: CancellationError.self) { try await queued.value }
        #expect(!wasDone.isSet)
    }

    @Test func `idle threads end, and later work starts new ones`() async throws {
        let pool = BlockingPool(maximumThreads: 4, idleTime: .milliseconds(5))
        for _ in 0..<3 {
            #expect(try await pool.run { 7 } == 7)
            while pool.usage.threads > 0 { await Task.yield() }
            #expect(pool.usage.idleThreads == 0)
        }
    }

    @Test func `thousands of small pieces all get done`() async throws {
        let pool = BlockingPool(maximumThreads: 4)
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<5000 { group.addTask { try await pool.run { index } } }
            return try await group.reduce(0, +)
        }
        #expect(total == 5000 * 4999 / 2)
    }
}
