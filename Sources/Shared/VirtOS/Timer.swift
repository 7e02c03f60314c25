/// A callback of an event loop at a point in time. Used on its loop.
package final class Timer: @unchecked Sendable {
    package let deadline: MonotonicTime
    let name: StaticString
    let loop: EventLoop
    /// Orders timers of equal deadlines as they were made.
    let sequence: UInt64
    /// The place in the heap; -1 outside.
    var place = -1
    var body: (() -> Void)?

    init(_ deadline: MonotonicTime, _ name: StaticString, _ loop: EventLoop, _ body: @escaping () -> Void) {
        self.deadline = deadline
        self.name = name
        self.loop = loop
        self.body = body
        sequence = loop.nextTimerSequence()
    }

    /// Ends the timer; from another thread, as soon as the loop comes to it.
    package func cancel() {
        guard loop.inLoop else { return loop.execute { self.cancel() } }
        loop.timers.remove(self)
        body = nil
    }

    func isBefore(_ other: Timer) -> Bool {
        deadline == other.deadline ? sequence < other.sequence : deadline < other.deadline
    }
}

/// A binary heap whose members know their place, so that cancelling is cheap too.
struct TimerHeap {
    private var heap = ContiguousArray<Timer>()

    var first: Timer? { heap.first }
    var count: Int { heap.count }

    mutating func insert(_ timer: Timer) {
        heap.append(timer)
        timer.place = heap.count - 1
        moveUp(heap.count - 1)
    }

    mutating func remove(_ timer: Timer) {
        let place = timer.place
        guard place >= 0, place < heap.count, heap[place] === timer else { return }
        timer.place = -1
        let last = heap.removeLast()
        guard last !== timer else { return }
        put(last, place)
        moveUp(place)
        moveDown(last.place)
    }

    mutating func removeAll() -> ContiguousArray<Timer> {
        let all = heap
        for timer in all { timer.place = -1 }
        heap = []
        return all
    }

    private mutating func put(_ timer: Timer, _ place: Int) {
        heap[place] = timer
        timer.place = place
    }

    private mutating func moveUp(_ start: Int) {
        var place = start
        let timer = heap[place]
        while place > 0 {
            let parent = (place - 1) / 2
            guard timer.isBefore(heap[parent]) else { break }
            put(heap[parent], place)
            place = parent
        }
        put(timer, place)
    }

    private mutating func moveDown(_ start: Int) {
        var place = start
        let timer = heap[place]
        while true {
            var child = place * 2 + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(timer) else { break }
            put(heap[child], place)
            place = child
        }
        put(timer, place)
    }
}
