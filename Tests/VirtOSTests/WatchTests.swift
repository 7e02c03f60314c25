import Glibc
import Testing
import VirtCore

@testable import VirtOS

/// A pipe with a byte in it.
private final class ReadablePipe: Sendable {
    let reading: DescriptorBox
    let writing: DescriptorBox

    init() throws {
        let pipe = try OwnedDescriptor.pipe(nonBlocking: true)
        #expect(write(pipe.writing.rawValue, "x", 1) == 1)
        (reading, writing) = (pipe.reading, pipe.writing)
    }
}

@Suite struct WatchTests {
    @Test func `a watch sees bytes until it is cancelled inside its own callback`() async throws {
        let loop = try EventLoop(name: "test")
        let pipe = try OwnedDescriptor.pipe(nonBlocking: true)
        let reading = pipe.reading.rawValue
        #expect(write(pipe.writing.rawValue, "abc", 3) == 3)
        let calls: Int = try await loop.waitFor { done in
            let calls = LoopState(0)
            let watch = LoopState<Watch?>(nil)
            // Level-triggered: one byte is read per callback.
            watch.value = try loop.watch(reading, .read) { _ in
                var byte: UInt8 = 0
                calls.value += read(reading, &byte, 1)
                guard calls.value == 2 else { return }
                watch.value?.cancel()
                loop.schedule(after: .milliseconds(5)) { done(calls.value) }
            }
        }
        #expect(calls == 2)
        loop.shutdown()
    }

    @Test func `a watch that another callback of the same batch cancels is not called`() async throws {
        let loop = try EventLoop(name: "test")
        let pipes = [try ReadablePipe(), try ReadablePipe()]
        let calls: Int = try await loop.waitFor { done in
            let calls = LoopState(0)
            let watches = LoopState<[Watch]>([])
            for pipe in pipes {
                watches.value.append(
                    try loop.watch(pipe.reading.rawValue, .read) { _ in
                        calls.value += 1
                        for watch in watches.value { watch.cancel() }
                        loop.schedule(after: .milliseconds(5)) { done(calls.value) }
                    })
            }
        }
        #expect(calls == 1)
        loop.shutdown()
    }

    @Test func `a descriptor number that comes back in the same batch gets no stale event`() async throws {
        let loop = try EventLoop(name: "test")
        let fresh = try UnixSocket.pair()
        let source = fresh.first.rawValue
        let pipes = [try ReadablePipe(), try ReadablePipe()]
        let calls: Int = try await loop.waitFor { done in
            let calls = LoopState(0)
            let watches = LoopState<[Watch?]>([nil, nil])
            for index in 0..<2 {
                watches.value[index] = try loop.watch(pipes[index].reading.rawValue, .read) { _ in
                    // Whichever comes first closes the other, whose number then stands for a silent socket.
                    let number = pipes[1 - index].reading.rawValue
                    for watch in watches.value { watch?.cancel() }
                    dup2(source, number)
                    watches.value[0] = try? loop.watch(number, .read) { _ in calls.value += 1 }
                    loop.schedule(after: .milliseconds(5)) {
                        watches.value[0]?.cancel()
                        done(calls.value)
                    }
                }
            }
        }
        #expect(calls == 0)
        loop.shutdown()
    }

    @Test func `a hang-up does not spin a watch without interest, and is seen once there is one`() async throws {
        let loop = try EventLoop(name: "test")
        let ends = LoopState<UnixSocket.Pair?>(try UnixSocket.pair())
        let near = try #require(ends.value).first
        let readiness: Readiness = try await loop.waitFor { done in
            let calls = LoopState(0)
            let watch = LoopState<Watch?>(nil)
            watch.value = try loop.watch(near.rawValue, []) { readiness in
                calls.value += 1
                watch.value?.cancel()
                done(readiness)
            }
            ends.value = nil  // closes the far end
            loop.schedule(after: .milliseconds(5)) {
                #expect(calls.value == 0)
                watch.value?.update(.read)
            }
        }
        #expect(readiness.contains([.read, .hangup]))
        #expect(!readiness.contains(.write))
        loop.shutdown()
    }

    @Test func `an interest in writing can be turned on and off`() async throws {
        let loop = try EventLoop(name: "test")
        let pair = try UnixSocket.pair()
        let near = pair.first.rawValue
        let seen: [UInt8] = try await loop.waitFor { done in
            let seen = LoopState<[UInt8]>([])
            let watch = LoopState<Watch?>(nil)
            watch.value = try loop.watch(near, [.read, .write]) { readiness in
                seen.value.append(readiness.rawValue)
                if readiness.contains(.write) {
                    watch.value?.update(.read)
                    _ = write(pair.second.rawValue, "x", 1)
                } else {
                    watch.value?.cancel()
                    done(seen.value)
                }
            }
        }
        #expect(seen == [Readiness.write.rawValue, Readiness.read.rawValue])
        loop.shutdown()
    }

    @Test func `bad descriptors, plain files and a second watch are errors`() async throws {
        let loop = try EventLoop(name: "test")
        let pair = try UnixSocket.pair()
        let file = try OwnedDescriptor(opening: "/etc/passwd", O_RDONLY)
        let codes: [Int32] = try await loop.run {
            func code(_ descriptor: Int32, _ interest: Interest = .read) -> Int32 {
                do throws(VirtError) { _ = try loop.watch(descriptor, interest) { _ in } } catch { return error.int1 }
                return 0
            }
            return [
                code(-1), code(1_000_000), code(file.rawValue), code(pair.first.rawValue), code(pair.first.rawValue),
                code(pair.first.rawValue, []),
            ]
        }
        #expect(codes == [EBADF, EBADF, EPERM, 0, EEXIST, EEXIST])
        loop.shutdown()
    }

    @Test func `a watch whose descriptor was closed under it makes way for the number's next owner`() async throws {
        let loop = try EventLoop(name: "test")
        let works: Bool = try await loop.waitFor { done in
            let first = try UnixSocket.pair()
            let number = dup2(first.first.rawValue, 900)
            let stale = try loop.watch(number, .read) { _ in done(false) }
            close(number)
            let second = try UnixSocket.pair()
            let far = second.second
            let near = DescriptorBox(OwnedDescriptor(dup2(second.first.rawValue, number)))
            let watch = LoopState<Watch?>(nil)
            watch.value = try loop.watch(near.rawValue, .read) { _ in
                watch.value?.cancel()
                done(near.rawValue == number && !stale.isActive && far.rawValue >= 0)
            }
            stale.cancel()
            _ = write(far.rawValue, "x", 1)
        }
        #expect(works)
        loop.shutdown()
    }
}
