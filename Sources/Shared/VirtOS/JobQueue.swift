/// What a loop has been given to run.
enum LoopItem {
    /// A job of an actor that is isolated to the loop.
    case serial(UnownedJob)
    /// A job of a task that prefers the loop as its executor.
    case task(UnownedJob)
    case closure(@Sendable () -> Void)
}

/// First in, first out; a ring that only grows.
struct JobQueue: ~Copyable {
    private var ring = ContiguousArray<LoopItem?>(repeating: nil, count: 64)
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ item: LoopItem) {
        if count == ring.count { grow() }
        ring[(head &+ count) & (ring.count &- 1)] = item
        count &+= 1
    }

    mutating func popFirst() -> LoopItem? {
        guard count > 0 else { return nil }
        var item: LoopItem?
        swap(&item, &ring[head])
        head = (head &+ 1) & (ring.count &- 1)
        count &-= 1
        return item
    }

    private mutating func grow() {
        var larger = ContiguousArray<LoopItem?>(repeating: nil, count: ring.count * 2)
        for index in 0..<count { larger[index] = ring[(head + index) & (ring.count - 1)] }
        ring = larger
        head = 0
    }
}
