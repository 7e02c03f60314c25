import CLinux
import Glibc

/// A value behind a lock that threads can also wait at. For threads that may block; never for an event loop.
@safe final class Monitor<Value>: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var value: Value

    init(_ value: Value) {
        self.value = value
        unsafe pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(lock)
        unsafe condition.deallocate()
        unsafe lock.deallocate()
    }

    /// `wakeOne` lets one waiting thread look at the value again afterwards.
    func withLock<Result>(_ body: (inout Value, _ wakeOne: () -> Void) throws -> Result) rethrows -> Result {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        return try body(&value) { unsafe pthread_cond_signal(condition) }
    }

    /// Calls `body` until it gives something, waiting for changes in between; `body` learns whether `patience` is over.
    func wait<Result>(patience: Duration, _ body: (inout Value, _ isLate: Bool) -> Result?) -> Result {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        let deadline = (MonotonicTime.now() + patience).nanoseconds
        var limit = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        var isLate = false
        while true {
            if let result = body(&value, isLate) { return result }
            isLate = unsafe pthread_cond_timedwait(condition, lock, &limit) == ETIMEDOUT
        }
    }
}
