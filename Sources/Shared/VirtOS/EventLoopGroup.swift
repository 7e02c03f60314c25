import Glibc
import Synchronization
import VirtCore

/// The event loops of a process, one per core.
package final class EventLoopGroup: Sendable {
    package let loops: [EventLoop]
    private let turn = Atomic(0)

    /// Starts `count` loops; without a count, one per core that the process may use. A process that cannot have an
    /// event loop at its start ends here.
    package init(count: Int? = nil, name: String = "loop") {
        let wanted = max(1, count ?? HostInfo.processors)
        do throws(VirtError) {
            var loops: [EventLoop] = []
            for index in 0..<wanted { loops.append(try EventLoop(name: "\(name)-\(index)")) }
            self.loops = loops
        } catch {
            Logger("os.eventloop").error("no event loop: \(error.message)")
            exit(1)
        }
    }

    /// The loops in turn.
    package func next() -> EventLoop {
        let ticket = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(UInt(bitPattern: ticket) % UInt(loops.count))]
    }

    /// Ends all threads. See `EventLoop.shutdown()`.
    package func shutdown() {
        for loop in loops { loop.shutdown() }
    }
}
