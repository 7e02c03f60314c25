import Synchronization
import VirtCore

/// Hands out numbers of a range and takes them back: display ports, websocket ports.
final class NumberPool: Sendable {
    private let range: ClosedRange<Int32>
    private let name: String
    private let used = Mutex(Set<Int32>())

    /// - Parameter name: what errors call the numbers ("VNC").
    init(_ range: ClosedRange<Int32>, name: String) {
        self.range = range
        self.name = name
    }

    /// Takes the lowest number that is free and that `isUsable` accepts (a port that nobody else listens on).
    func acquire(isUsable: (Int32) -> Bool) throws(VirtError) -> Int32 {
        let found: Int32? = used.withLock { used in
            for number in range where !used.contains(number) && isUsable(number) {
                used.insert(number)
                return number
            }
            return nil
        }
        guard let found else {
            throw VirtError(
                .internalError, .qemu,
                "Unable to find an unused port in range '\(name)'"
                    + " (\(range.lowerBound)-\(range.upperBound))")
        }
        return found
    }

    /// Takes a number that a guest has already, whether it is in the range or not.
    func reserve(_ number: Int32) {
        used.withLock { _ = $0.insert(number) }
    }

    func release(_ number: Int32) {
        used.withLock { _ = $0.remove(number) }
    }
}
