import Testing
import VirtCore

@testable import VirtRPC

@Suite struct StreamMachineTests {
    @Test func `data waits for the task in order and finish ends it`() {
        var machine = StreamMachine(isSparse: false, sendsEnd: false)
        #expect(machine.handle(.data([1, 2])) == [])
        #expect(machine.handle(.data([3])) == [])
        #expect(machine.waitingBytes == 3)
        #expect(machine.next() == .data([1, 2]))
        #expect(machine.next() == .data([3]))
        #expect(machine.next() == nil)
        #expect(machine.handle(.finish) == [])
        #expect(machine.isFinished)
        #expect(machine.handle(.completed) == [.sendOk, .remove])
    }

    @Test func `a stream towards the client announces its end and waits for the finish`() {
        var machine = StreamMachine(isSparse: false, sendsEnd: true)
        #expect(machine.handle(.completed) == [.sendEnd])
        #expect(machine.handle(.finish) == [.sendOk, .remove])
    }

    @Test func `an abort is acknowledged and cancels the task`() {
        var machine = StreamMachine(isSparse: false, sendsEnd: true)
        #expect(machine.handle(.abort) == [.cancelTask, .sendOk, .remove])
    }

    @Test func `a failure of the task goes to the client`() {
        var machine = StreamMachine(isSparse: false, sendsEnd: true)
        let error = VirtError(.internalError, .streams, "no")
        #expect(machine.handle(.failed(error)) == [.sendError(error), .remove])
    }

    @Test func `holes are for sparse streams only`() {
        var sparse = StreamMachine(isSparse: true, sendsEnd: false)
        #expect(sparse.handle(.hole(4096)) == [])
        #expect(sparse.next() == .hole(4096))
        #expect(sparse.handle(.hole(-1)) == [.dropClient("unexpected stream hole")])
        var dense = StreamMachine(isSparse: false, sendsEnd: false)
        #expect(dense.handle(.hole(4096)) == [.dropClient("unexpected stream hole")])
    }

    @Test func `data after finish drops the client`() {
        var machine = StreamMachine(isSparse: false, sendsEnd: false)
        #expect(machine.handle(.finish) == [])
        #expect(machine.handle(.data([1])) == [.dropClient("stream data after finish")])
        #expect(machine.handle(.finish) == [.dropClient("stream finished twice")])
    }
}
