import Glibc
import Synchronization

extension BlockingPool {
    /// Works on the pieces of a list at the same time, with a thread for each core that takes one piece after the other;
    /// the results are in the list's order.
    ///
    /// - Parameter size: how many members a piece has: so many that taking it costs nothing beside them.
    package nonisolated(nonsending) func mapPieces<Input: Sendable, Output: Sendable>(
        _ list: [Input], size: Int, _ work: @escaping @Sendable (ArraySlice<Input>) -> [Output]
    ) async throws -> [Output] {
        let size = max(1, size)
        let count = (list.count + size - 1) / size
        guard count > 1 else { return try await run { work(list[...]) } }
        let next = PieceCounter()
        return try await withThrowingTaskGroup(of: [(Int, [Output])].self) { group in
            for _ in 0..<min(count, HostInfo.processors) {
                group.addTask {
                    try await self.run {
                        var done: [(Int, [Output])] = []
                        while let piece = next.take(below: count) {
                            done.append((piece, work(list[(piece * size)..<min((piece + 1) * size, list.count)])))
                        }
                        return done
                    }
                }
            }
            var pieces: [(Int, [Output])] = []
            for try await some in group { pieces += some }
            return pieces.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }
}

/// Gives out numbers from 0.
private final class PieceCounter: Sendable {
    private let next = Atomic(0)

    func take(below count: Int) -> Int? {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return number < count ? number : nil
    }
}
