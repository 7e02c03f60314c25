import Testing

@testable import VirtOS

@Suite struct OneShotTests {
    @Test func `all who wait get the first value`() async throws {
        let shot = OneShot<Int>()
        let heard = OneShot<Int>()
        shot.whenFulfilled { heard.fulfil($0) }
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { await shot.wait() } }
            await Task.yield()
            shot.fulfil(3)
            shot.fulfil(4)
            #expect(await group.reduce(0, +) == 150)
        }
        #expect(shot.value == 3)
        #expect(heard.value == 3)
        #expect(await shot.wait() == 3)
    }

    @Test func `waiting ends with its time, or with its task`() async throws {
        let loop = try EventLoop(name: "test")
        let shot = OneShot<Int>()
        #expect(try await shot.wait(timeout: .milliseconds(2), on: loop) == nil)
        let task = Task { try await shot.wait(timeout: nil, on: loop) }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        shot.fulfil(9)
        #expect(try await shot.wait(timeout: .zero, on: loop) == 9)
        loop.shutdown()
    }

    @Test func `a ring keeps its order while it wraps and grows`() {
        var ring = Ring<Int>()
        var expected = 0
        var next = 0
        for round in 1...200 {
            for _ in 0..<round {
                ring.append(next)
                next += 1
            }
            for _ in 0..<(round * 9 / 10) {
                #expect(ring.popFirst() == expected)
                expected += 1
            }
        }
        while let value = ring.popFirst() {
            #expect(value == expected)
            expected += 1
        }
        #expect(expected == next && ring.isEmpty)
    }
}
