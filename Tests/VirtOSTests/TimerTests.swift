import Synchronization
import Testing

@testable import VirtOS

@Suite struct TimerTests {
    @Test func `10,000 timers fire in the order of their deadlines, equal ones as they were made`() async throws {
        let loop = try EventLoop(name: "test")
        let fired: [Int] = try await loop.waitFor { done in
            let order = LoopState<[Int]>([])
            let start = EventLoop.now()
            // A fixed scramble: 7919 is prime to 10,000. Ten share each deadline.
            for index in 0..<10_000 {
                let place = index * 7919 % 10_000
                loop.schedule(at: start + .microseconds(place / 10)) {
                    order.value.append(place / 10)
                    if order.value.count == 10_000 { done(order.value) }
                }
            }
        }
        #expect(fired == (0..<10_000).map { $0 / 10 })
        loop.shutdown()
    }

    @Test func `cancelled timers do not fire, wherever they are in the heap`() async throws {
        let loop = try EventLoop(name: "test")
        let fired: [Int] = try await loop.waitFor { done in
            let order = LoopState<[Int]>([])
            let start = EventLoop.now()
            let timers = (0..<1000).map { index in
                loop.schedule(at: start + .microseconds(index * 37 % 1000)) { order.value.append(index) }
            }
            for index in 0..<1000 where index % 3 != 0 { timers[index].cancel() }
            #expect(loop.timers.count == 334)
            loop.schedule(at: start + .milliseconds(2)) { done(order.value) }
        }
        #expect(fired.count == 334)
        #expect(fired.allSatisfy { $0 % 3 == 0 })
        #expect(fired.map { $0 * 37 % 1000 } == fired.map { $0 * 37 % 1000 }.sorted())
        loop.shutdown()
    }

    @Test func `a timer may cancel another that is due in the same turn`() async throws {
        let loop = try EventLoop(name: "test")
        let seen: [String] = try await loop.waitFor { done in
            let seen = LoopState<[String]>([])
            let due = EventLoop.now()
            let second = LoopState<Timer?>(nil)
            loop.schedule(at: due) {
                seen.value.append("first")
                second.value?.cancel()
            }
            second.value = loop.schedule(at: due) { seen.value.append("second") }
            loop.schedule(at: due) { done(seen.value) }
        }
        #expect(seen == ["first"])
        loop.shutdown()
    }

    @Test func `timers are cancelled from other threads too`() async throws {
        let loop = try EventLoop(name: "test")
        let timer = try await loop.run { loop.schedule(after: .seconds(3600)) {} }
        #expect(try await loop.run { loop.timers.count } == 1)
        timer.cancel()
        #expect(try await loop.run { loop.timers.count } == 0)
        loop.shutdown()
    }

    @Test func `sleeping lasts as long as asked`() async throws {
        let loop = try EventLoop(name: "test")
        let start = EventLoop.now()
        try await loop.sleep(for: .milliseconds(20))
        #expect(EventLoop.now() - start >= .milliseconds(20))
        loop.shutdown()
    }

    @Test func `cancelled sleeps end at once and leave no timer behind`() async throws {
        let loop = try EventLoop(name: "test")
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    do { try await loop.sleep(for: .seconds(3600)) } catch { return error is CancellationError }
                    return false
                }
            }
            for _ in 0..<20 { await Task.yield() }
            group.cancelAll()
            #expect(await group.reduce(true) { $0 && $1 })
        }
        #expect(try await loop.run { loop.timers.count } == 0)
        loop.shutdown()
    }

    @Test func `time stops at the ends of its range`() {
        #expect(MonotonicTime.distantFuture + .seconds(1) == .distantFuture)
        #expect(MonotonicTime.now() + .seconds(Int64.max) == .distantFuture)
        #expect(MonotonicTime(nanoseconds: .min) + .seconds(-1) == MonotonicTime(nanoseconds: .min))
        #expect(MonotonicTime(nanoseconds: .max) - MonotonicTime(nanoseconds: -5) == .nanoseconds(Int64.max))
        #expect(MonotonicTime(nanoseconds: 7) - MonotonicTime(nanoseconds: 9) == .nanoseconds(-2))
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.milliseconds(1500).wholeMilliseconds == 1500)
    }
}
