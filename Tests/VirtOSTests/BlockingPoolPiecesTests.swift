import Testing
import VirtOS

@Suite("Pieces of a list on all cores")
struct BlockingPoolPiecesTests {
    @Test("the results are in the list's order, whatever the pieces", arguments: [0, 1, 8, 15, 16, 17, 1000])
    func order(count: Int) async throws {
        let list = Array(0..<count)
        let results = try await BlockingPool.shared.mapPieces(list, size: 8) { piece in piece.map { $0 * 2 } }
        #expect(results == list.map { $0 * 2 })
    }

    @Test("pieces have the size that was asked for, the last one what is left")
    func sizes() async throws {
        let results = try await BlockingPool.shared.mapPieces(Array(0..<20), size: 8) { [$0.count] }
        #expect(results == [8, 8, 4])
    }
}
