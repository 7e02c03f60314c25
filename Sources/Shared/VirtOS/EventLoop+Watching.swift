import Glibc
package import VirtCore

extension EventLoop {
    /// Calls `body` on the loop whenever `descriptor` is ready for what `interest` says, until the watch is cancelled.
    /// On the loop only. One watch per descriptor; the descriptor stays the caller's, who cancels before closing it.
    ///
    /// `name` is what a stall is reported with.
    package func watch(
        _ descriptor: Int32, _ interest: Interest, name: StaticString = "descriptor",
        _ body: @escaping (Readiness) -> Void
    ) throws(VirtError) -> Watch {
        precondition(inLoop, "watch() belongs on event loop \(name)")
        guard descriptor >= 0, isOpen(descriptor) else {
            throw .system(EBADF, .none, "Unable to watch file descriptor \(descriptor)")
        }
        let watch = Watch(descriptor, name, self, body)
        let result = place(watch, interest)
        guard result >= 0 else { throw .system(-result, .none, "Unable to watch file descriptor \(descriptor)") }
        return watch
    }

    /// Calls `body` on the loop once, at `deadline` or as soon after it as the loop comes to it. On the loop only.
    @discardableResult
    package func schedule(
        at deadline: MonotonicTime, name: StaticString = "timer", _ body: @escaping () -> Void
    ) -> Timer {
        precondition(inLoop, "schedule() belongs on event loop \(name)")
        let timer = Timer(deadline, name, self, body)
        timers.insert(timer)
        return timer
    }

    /// Calls `body` on the loop once, after `delay`. On the loop only.
    @discardableResult
    package func schedule(
        after delay: Duration, name: StaticString = "timer", _ body: @escaping () -> Void
    ) -> Timer {
        schedule(at: .now() + delay, name: name, body)
    }

    /// Whether the number stands for an open file at all: with an empty interest, the kernel is not asked otherwise.
    private func isOpen(_ descriptor: Int32) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }
}
