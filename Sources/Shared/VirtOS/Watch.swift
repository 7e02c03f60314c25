import CLinux
import Glibc

/// A descriptor that an event loop watches, level-triggered. Used on its loop; it does not own the descriptor.
///
/// Cancel it before the descriptor is closed. After `cancel()` the callback does not run again, not even for an event
/// that has already been taken from the kernel.
package final class Watch: @unchecked Sendable {
    package let descriptor: Int32
    let name: StaticString
    let loop: EventLoop
    var interest: Interest
    var body: ((Readiness) -> Void)?
    /// Whether the kernel's set holds it: not while the interest is empty, or a hang-up would spin the loop.
    var isRegistered = false

    /// Whether it was not cancelled yet.
    package var isActive: Bool { body != nil }

    init(_ descriptor: Int32, _ name: StaticString, _ loop: EventLoop, _ body: @escaping (Readiness) -> Void) {
        self.descriptor = descriptor
        self.name = name
        self.loop = loop
        self.body = body
        interest = []
    }

    /// Changes what is waited for. If the kernel refuses, the callback gets `.error`.
    package func update(_ interest: Interest) {
        guard loop.inLoop else { return loop.execute { self.update(interest) } }
        guard isActive, interest != self.interest else { return }
        let result = apply(interest)
        if result < 0 { loop.execute { self.body?([.error]) } }
    }

    /// Ends the watch; from another thread, as soon as the loop comes to it.
    package func cancel() {
        guard loop.inLoop else { return loop.execute { self.cancel() } }
        guard isActive else { return }
        _ = apply([])
        loop.forget(self)
    }

    /// Tells the kernel. 0 or -errno.
    func apply(_ interest: Interest) -> Int32 {
        self.interest = interest
        guard interest.isEmpty else {
            guard loop.owns(self) else { return -EBADF }
            let operation = isRegistered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD
            let pointer = unsafe Unmanaged.passUnretained(self).toOpaque()
            let result = unsafe clinux_epoll_control(loop.epoll, operation, descriptor, interest.epollBits, pointer)
            if result >= 0 { isRegistered = true }
            return result
        }
        guard isRegistered else { return 0 }
        isRegistered = false
        // A descriptor that was closed first has left the set by itself, and its number may be another watch's now.
        guard loop.owns(self) else { return 0 }
        return clinux_epoll_control(loop.epoll, EPOLL_CTL_DEL, descriptor, 0, nil)
    }
}
