import CLinux
import Glibc

/// Threads outside Swift's own pool: event loops and blocking work.
enum SystemThread {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a joinable thread with all signals blocked: signals are for the descriptor that waits for them.
    /// Returns the thread, or nil and the errno.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) -> (pthread_t?, Int32) {
        let start = unsafe Unmanaged.passRetained(Start(name, body))
        var all = sigset_t()
        var previous = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                unsafe clinux_set_thread_name(start.name)
                start.body()
                return nil
            }, unsafe start.toOpaque())
        guard result == 0 else {
            unsafe start.release()
            return (nil, result)
        }
        return (thread, 0)
    }
}
