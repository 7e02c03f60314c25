import Testing
import VirtOS
import VirtRPC

@Suite struct KeepaliveTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private func after(_ seconds: Int64) -> MonotonicTime { start + .seconds(seconds) }

    @Test func `nothing is sent before the peer asks for it`() {
        var keepalive = Keepalive(interval: 5, count: 5, now: start)
        #expect(keepalive.tick(now: after(100), readingPaused: false) == .none)
    }

    @Test func `a silent peer is pinged count times and then given up`() {
        var keepalive = Keepalive(interval: 5, count: 2, now: start)
        keepalive.enable(now: start)
        #expect(keepalive.tick(now: after(4), readingPaused: false) == .none)
        #expect(keepalive.tick(now: after(5), readingPaused: false) == .sendPing)
        #expect(keepalive.tick(now: after(10), readingPaused: false) == .sendPing)
        #expect(keepalive.tick(now: after(15), readingPaused: false) == .close)
    }

    @Test func `any message resets the countdown`() {
        var keepalive = Keepalive(interval: 5, count: 1, now: start)
        keepalive.enable(now: start)
        #expect(keepalive.tick(now: after(5), readingPaused: false) == .sendPing)
        keepalive.received(now: after(9))
        #expect(keepalive.tick(now: after(10), readingPaused: false) == .none)
        #expect(keepalive.tick(now: after(14), readingPaused: false) == .sendPing)
    }

    @Test func `a peer that we do not read from is not blamed`() {
        var keepalive = Keepalive(interval: 5, count: 1, now: start)
        keepalive.enable(now: start)
        for second in stride(from: Int64(5), to: 60, by: 5) {
            #expect(keepalive.tick(now: after(second), readingPaused: true) == .none)
        }
    }

    @Test func `an interval of zero switches it off`() {
        var keepalive = Keepalive(interval: 0, count: 5, now: start)
        keepalive.enable(now: start)
        #expect(!keepalive.isEnabled)
    }
}
