import VirtCore
import VirtWire

/// Feeds the decoders of one program: the first two bytes choose the procedure and its arguments, reply or event, the
/// rest is the payload. What decodes must encode, and encode to the same again.
enum ProtocolFuzzer {
    static func run(_ table: CodecTable, _ start: UnsafePointer<UInt8>, _ count: Int) {
        guard count >= 2 else { return }
        let input = UnsafeBufferPointer(start: start, count: count)
        let selector = Int(input[0]) << 8 | Int(input[1])
        let number = Int32(selector / 3 % table.program.procedures.count) + 1
        let sides = [table.arguments, table.replies, table.events]
        guard let codec = sides[selector % 3][number] else { return }
        // Behind other bytes, as in a frame.
        let bytes = [0, 0, 0] + input.dropFirst(2)
        guard let result = try? codec.run(bytes[3...]) else { return }
        guard result.encoded == result.again, result.encoded.count <= result.consumed else {
            fatalError("\(table.program.name) \(number): \(result.encoded) became \(result.again)")
        }
    }
}
