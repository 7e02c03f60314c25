import Testing

@testable import VirtDaemon

@Suite struct IdleStateTests {
    private var idle = IdleState(timeout: 100)

    @Test mutating func `a daemon that nobody uses ends when its time is over`() {
        #expect(idle.next(now: 1000, clients: 0, isHeld: false) == .wait(until: 1100))
        #expect(idle.next(now: 1050, clients: 0, isHeld: false) == .wait(until: 1100))
        #expect(idle.next(now: 1100, clients: 0, isHeld: false) == .end)
    }

    @Test mutating func `a client in between starts the time again`() {
        #expect(idle.next(now: 1000, clients: 0, isHeld: false) == .wait(until: 1100))
        #expect(idle.next(now: 1010, clients: 1, isHeld: false) == .stay)
        #expect(idle.next(now: 1020, clients: 0, isHeld: false) == .wait(until: 1120))
    }

    @Test mutating func `a hold keeps the daemon however late it is`() {
        #expect(idle.next(now: 1000, clients: 0, isHeld: false) == .wait(until: 1100))
        #expect(idle.next(now: 5000, clients: 0, isHeld: true) == .stay)
        #expect(idle.next(now: 5001, clients: 0, isHeld: false) == .wait(until: 5101))
    }

    @Test func `without a timeout a daemon stays`() {
        var idle = IdleState(timeout: nil)
        #expect(idle.next(now: 1, clients: 0, isHeld: false) == .stay)
    }

    @Test func `a timeout beyond the clock's end never comes`() {
        var idle = IdleState(timeout: .max)
        #expect(idle.next(now: 1, clients: 0, isHeld: false) == .stay)
    }

    @Test func `holds count, and name their reasons`() {
        let inhibitor = Inhibitor()
        inhibitor.hold("guest")
        inhibitor.hold("guest")
        inhibitor.hold("log file")
        inhibitor.release("guest")
        #expect(inhibitor.reasons.map(\.reason) == ["guest", "log file"])
        #expect(inhibitor.reasons.map(\.count) == [1, 1])
        inhibitor.release("log file")
        inhibitor.release("guest")
        #expect(!inhibitor.isHeld)
    }
}
