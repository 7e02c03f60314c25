import Synchronization

/// What happened in a test, in order; from any thread.
final class Record: Sendable {
    private let entries = Mutex<[String]>([])
    var list: [String] { entries.withLock { $0 } }
    func add(_ entry: String) { entries.withLock { $0.append(entry) } }
}
