import CLinux
import Glibc
import Synchronization
package import VirtCore

/// What a loop has been given to run.
enum LoopItem {
    /// A job of an actor that is isolated to the loop.
    case serial(UnownedJob)
    /// A job of a task that prefers the loop as its executor.
    case task(UnownedJob)
    case closure(@Sendable () -> Void)
}

/// One thread with one epoll set that runs callbacks of descriptors and timers, closures, and Swift's jobs.
///
/// It is a serial executor (an actor whose `unownedExecutor` is the loop runs on it, and `assumeIsolated` works in the
/// loop's callbacks) and a task executor (`group.addTask(executorPreference: loop)`). A turn takes the ready
/// descriptors, then the due timers, then a bounded number of jobs, so that none starves the others.
///
/// A loop lives until `shutdown()`; its thread keeps it alive.
@safe package final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    package let name: String
    let epoll: Int32
    private let wakeup: Int32
    private let events: UnsafeMutablePointer<epoll_event>
    private let onStall: @Sendable (Stall) -> Void
    private let stallLimit: Int64

    // Shared between threads.
    private let remote = Mutex(ContiguousArray<LoopItem>())
    private let hasRemote = Atomic(false)
    private let isSleeping = Atomic(false)
    private let isStopping = Atomic(false)
    private let thread = Mutex<pthread_t?>(nil)

    // Only touched by the loop's thread.
    var timers = TimerHeap()
    private var queue = Ring<LoopItem>()
    private var incoming = ContiguousArray<LoopItem>()
    /// The watches by descriptor number.
    private var watches = ContiguousArray<Watch?>()
    /// Cancelled watches, kept until no event of the current batch can point at them.
    private var buried: [Watch] = []
    private var timerSequence: UInt64 = 0
    private var lastTick: Int64 = 0

    private static let eventsPerTurn = 256
    private static let timersPerTurn = 1024
    private static let jobsPerTurn = 64
    /// Jobs also end their part of a turn after this time.
    private static let nanosecondsOfJobsPerTurn: Int64 = 8_000_000

    /// Starts the thread. `onStall` (default: a log warning) hears of each callback that ran longer than `stallLimit`.
    package init(
        name: String, stallLimit: Duration = .milliseconds(50), onStall: (@Sendable (Stall) -> Void)? = nil
    ) throws(VirtError) {
        let epoll = clinux_epoll_create()
        guard epoll >= 0 else { throw .system(-epoll, .none, "Unable to create an epoll set") }
        let wakeup = clinux_eventfd()
        guard wakeup >= 0 else {
            close(epoll)
            throw .system(-wakeup, .none, "Unable to create an event descriptor")
        }
        self.name = name
        self.epoll = epoll
        self.wakeup = wakeup
        self.stallLimit = stallLimit.wholeNanoseconds
        self.onStall = onStall ?? Stall.log
        unsafe events = .allocate(capacity: Self.eventsPerTurn)
        // Edge-triggered: each write wakes the loop, and nobody has to read the counter back.
        let result = clinux_epoll_control(epoll, EPOLL_CTL_ADD, wakeup, EPOLLIN.rawValue | EPOLLET.rawValue, nil)
        guard result >= 0 else { throw .system(-result, .none, "Unable to watch an event descriptor") }
        try start()
    }

    deinit {
        close(epoll)
        close(wakeup)
        unsafe events.deallocate()
    }

    // MARK: Threads

    /// Whether the caller is on the loop's thread.
    package var inLoop: Bool { unsafe clinux_current_loop() == Unmanaged.passUnretained(self).toOpaque() }

    /// The loop whose thread the caller is on.
    package static var current: EventLoop? {
        guard let loop = unsafe clinux_current_loop() else { return nil }
        return unsafe Unmanaged<EventLoop>.fromOpaque(loop).takeUnretainedValue()
    }

    /// The time that deadlines are compared with.
    package static func now() -> MonotonicTime { .now() }

    private func start() throws(VirtError) {
        let (created, result) = SystemThread.start(name: name) { [self] in run() }
        guard let created else { throw .system(result, .none, "Unable to start an event loop's thread") }
        thread.withLock { $0 = created }
    }

    /// Ends the thread after what it has been given so far; waits for it, except on the loop itself. Nothing may use
    /// the loop afterwards: watches and timers are dropped without being called.
    package func shutdown() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        wake()
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let thread else { return }
        if inLoop { pthread_detach(thread) } else { pthread_join(thread, nil) }
    }

    // MARK: Work from any thread

    /// Runs `body` on the loop, after what was given to it before.
    package func execute(_ body: @escaping @Sendable () -> Void) { add(.closure(body)) }

    /// Takes a job of an actor that is isolated to the loop.
    package func enqueue(_ job: consuming ExecutorJob) { add(.serial(UnownedJob(job))) }

    /// Takes a job of a task that prefers the loop. Told apart from the above: such a job is not isolated to the loop,
    /// and claiming so would cost it another trip through the queue.
    @_implements(TaskExecutor,enqueue(_:))
    package func enqueueTask(_ job: consuming ExecutorJob) { add(.task(UnownedJob(job))) }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() { precondition(inLoop, "not on event loop \(name)") }

    package func isIsolatingCurrentContext() -> Bool? { inLoop }

    private func add(_ item: LoopItem) {
        if inLoop { return queue.append(item) }
        remote.withLock { $0.append(item) }
        hasRemote.store(true, ordering: .sequentiallyConsistent)
        if isSleeping.load(ordering: .sequentiallyConsistent) { wake() }
    }

    private func wake() {
        // Whoever clears the flag wakes the loop; the others' work is seen by the same turn.
        if isSleeping.exchange(false, ordering: .sequentiallyConsistent) || isStopping.load(ordering: .relaxed) {
            _ = clinux_eventfd_signal(wakeup)
        }
    }

    // MARK: The loop

    private func run() {
        unsafe clinux_set_current_loop(Unmanaged.passUnretained(self).toOpaque())
        while !isStopping.load(ordering: .relaxed) { turn() }
        takeRemote()
        while !queue.isEmpty { runJobs() }
        for timer in timers.removeAll() { timer.body = nil }
        for watch in watches { watch?.body = nil }
        watches = []
        buried = []
        clinux_set_current_loop(nil)
    }

    private func turn() {
        if hasRemote.load(ordering: .relaxed) { takeRemote() }
        let ready = unsafe Int(clinux_epoll_wait(epoll, events, Int32(Self.eventsPerTurn), timeout()))
        isSleeping.store(false, ordering: .relaxed)
        lastTick = clinux_monotonic_coarse()
        var index = 0
        while index < ready {
            if let watch = unsafe clinux_event_data(events + index) {
                unsafe deliver(
                    Unmanaged<Watch>.fromOpaque(watch).takeUnretainedValue(), clinux_event_bits(events + index))
            }
            index &+= 1
        }
        if timers.count > 0 { runTimers() }
        if !queue.isEmpty || hasRemote.load(ordering: .relaxed) { runJobs() }
        if !buried.isEmpty { buried.removeAll(keepingCapacity: buried.capacity <= 1024) }
    }

    /// How long the kernel may wait, in nanoseconds. Sets the flag that makes other threads wake the loop.
    private func timeout() -> Int64 {
        guard queue.isEmpty, !isStopping.load(ordering: .relaxed) else { return 0 }
        isSleeping.store(true, ordering: .sequentiallyConsistent)
        guard !hasRemote.load(ordering: .sequentiallyConsistent), !isStopping.load(ordering: .sequentiallyConsistent)
        else { return 0 }
        guard let first = timers.first else { return -1 }
        return max(0, (first.deadline - .now()).wholeNanoseconds)
    }

    private func takeRemote() {
        hasRemote.store(false, ordering: .sequentiallyConsistent)
        remote.withLock { swap(&$0, &incoming) }
        for item in incoming { queue.append(item) }
        incoming.removeAll(keepingCapacity: incoming.capacity <= 4096)
    }

    private func deliver(_ watch: Watch, _ bits: UInt32) {
        guard let body = watch.body else { return }
        let readiness = Readiness(epollBits: bits, interest: watch.interest)
        guard !readiness.isEmpty else { return }
        body(readiness)
        noteTime { .watch(watch.name, descriptor: watch.descriptor) }
    }

    private func runTimers() {
        let now = MonotonicTime.now()
        var left = Self.timersPerTurn
        while left > 0, let timer = timers.first, timer.deadline <= now {
            timers.remove(timer)
            let body = timer.body
            timer.body = nil
            body?()
            noteTime { .timer(timer.name) }
            left -= 1
        }
    }

    private func runJobs() {
        if hasRemote.load(ordering: .relaxed) { takeRemote() }
        let start = lastTick
        var left = Self.jobsPerTurn
        while left > 0, lastTick &- start < Self.nanosecondsOfJobsPerTurn, let item = queue.popFirst() {
            switch item {
            case .serial(let job):
                unsafe job.runSynchronously(on: asUnownedSerialExecutor())
                noteTime { .job }
            case .task(let job):
                unsafe job.runSynchronously(on: asUnownedTaskExecutor())
                noteTime { .job }
            case .closure(let body):
                body()
                noteTime { .closure }
            }
            left -= 1
        }
    }

    private func noteTime(_ work: () -> Stall.Work) {
        let now = clinux_monotonic_coarse()
        let taken = now &- lastTick
        lastTick = now
        if taken > stallLimit { onStall(Stall(loop: name, work: work(), duration: .nanoseconds(taken))) }
    }

    // MARK: What watches and timers keep here

    func nextTimerSequence() -> UInt64 {
        timerSequence &+= 1
        return timerSequence
    }

    func owns(_ watch: Watch) -> Bool {
        let index = Int(watch.descriptor)
        return index < watches.count && watches[index] === watch
    }

    /// Makes it the watch of its descriptor. 0 or -errno; EEXIST if the descriptor has one already.
    func place(_ watch: Watch, _ interest: Interest) -> Int32 {
        let index = Int(watch.descriptor)
        if index >= watches.count {
            watches.append(contentsOf: repeatElement(nil, count: max(index + 1 - watches.count, watches.count)))
        }
        let previous = watches[index]
        if previous != nil, interest.isEmpty { return -EEXIST }
        watches[index] = watch
        let result = watch.apply(interest)
        if result < 0 {
            watches[index] = previous
        } else if let previous {
            // Its descriptor was closed without cancelling it, and the number came back.
            forget(previous)
        }
        return result
    }

    func forget(_ watch: Watch) {
        watch.body = nil
        buried.append(watch)
        if owns(watch) { watches[Int(watch.descriptor)] = nil }
    }
}
