import Glibc
import Synchronization
import Testing
import VirtCore

@testable import VirtOS

@Suite struct EventLoopTests {
    let loop: EventLoop

    init() throws { loop = try EventLoop(name: "test") }

    /// Runs `body` on the loop and waits for its result.
    func onLoop<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            loop.execute { continuation.resume(with: Result { try body() }) }
        }
    }

    @Test func `closures run on the loop in the order they were given`() async throws {
        let seen = Mutex<[Int]>([])
        for number in 0..<1000 { loop.execute { seen.withLock { $0.append(number) } } }
        let isInLoop = try await onLoop { [loop] in loop.inLoop }
        #expect(isInLoop)
        #expect(!loop.inLoop)
        #expect(seen.withLock { $0 } == Array(0..<1000))
        loop.shutdown()
    }

    @Test func `a watch sees bytes until it is cancelled inside its own callback`() async throws {
        let pipe = try OwnedDescriptor.pipe(nonBlocking: true)
        let (reading, writing) = (pipe.reading.rawValue, pipe.writing.rawValue)
        #expect(write(writing, "abc", 3) == 3)
        let calls = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int, any Error>) in
            loop.execute { [loop] in
                var calls = 0
                var watch: Watch?
                do {
                    // Level-triggered: one byte is read per callback.
                    watch = try loop.watch(reading, .read) { readiness in
                        var byte: UInt8 = 0
                        calls += Glibc.read(reading, &byte, 1)
                        if calls == 2 {
                            watch?.cancel()
                            loop.schedule(after: .milliseconds(5)) { done.resume(returning: calls) }
                        }
                    }
                } catch { done.resume(throwing: error) }
            }
        }
        #expect(calls == 2)
        loop.shutdown()
    }

    @Test func `sleeping lasts as long as asked and ends at once when cancelled`() async throws {
        let start = EventLoop.now()
        try await loop.sleep(for: .milliseconds(20))
        #expect(EventLoop.now() - start >= .milliseconds(20))
        let task = Task { [loop] in try await loop.sleep(for: .seconds(3600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        loop.shutdown()
    }
}
