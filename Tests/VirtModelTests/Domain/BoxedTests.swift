import Testing
import VirtModel

@Suite("Parts that are held apart")
struct BoxedTests {
    @Test("a copy does not see what is set through the other")
    func copies() {
        var first = Disk()
        first.mirror = DiskMirror()
        var second = first
        #expect(first == second)
        second.mirror?.job = .copy
        #expect(first.mirror?.job == nil)
        #expect(second.mirror?.job == .copy)
        #expect(first != second)
        second.mirror = nil
        #expect(first.mirror != nil)
        #expect(second == Disk())
    }

    @Test("equal parts make equal values, wherever they are held")
    func equality() {
        var first = Disk()
        var second = Disk()
        first.ioTune = IOTune()
        second.ioTune = IOTune()
        #expect(first == second)
    }
}
