import CLinux
import Glibc
import VirtCore
import VirtOS

private let log = Logger("daemon.signal")

/// The signals of a daemon, read from a descriptor on an event loop, so that none is lost or interrupts anything.
enum Signals {
    static let handled: [Int32] = [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1]

    /// Blocks the handled signals in this thread and all later ones; SIGPIPE is ignored.
    static func prepare() throws(VirtError) {
        signal(SIGPIPE, SIG_IGN)
        let result = unsafe clinux_block_signals(handled, Int32(handled.count))
        guard result >= 0 else { throw .system(-result, .none, "Unable to set up signal handling") }
        // The process before ignored it for the time until now; children are not to.
        signal(SIGUSR1, SIG_DFL)
    }

    /// Calls `body` on the loop for each signal, from now on and for those that came since `prepare`.
    static func watch(on loop: EventLoop, _ body: @escaping @Sendable (Int32) -> Void) throws(VirtError) {
        let descriptor = unsafe clinux_signal_descriptor(handled, Int32(handled.count))
        guard descriptor >= 0 else { throw .system(-descriptor, .none, "Unable to set up signal handling") }
        loop.execute {
            do throws(VirtError) {
                // The watch lives as long as the loop.
                _ = try loop.watch(descriptor, [.read], name: "signals") { _ in
                    while case let number = clinux_read_signal(descriptor), number > 0 { body(number) }
                }
            } catch {
                log.error("cannot watch for signals: \(error.message)")
            }
        }
    }
}
