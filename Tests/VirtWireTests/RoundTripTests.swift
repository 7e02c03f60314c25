import Testing
import VirtCore
import VirtWire

/// Every type of every program, with random content that the description allows.
struct RoundTripTests {
    @Test func everyProcedureHasItsTypes() {
        let calls = CodecTable.all.flatMap(\.program.procedures).map { $0.isEvent ? 1 : 2 }
        #expect(MessageKind.all.count == calls.reduce(0, +))
        #expect(MessageKind.all.count > 900)
    }

    @Test func whatIsDecodedIsEncodedTheSame() throws {
        let wrong = try kindsThatFail(samples: 20, seed: 1) { kind, sample in
            let result = try kind.codec.run(sample.bytes[...])
            return result.consumed == sample.bytes.count && result.encoded == sample.bytes
                && result.again == sample.bytes && result.isEqual
        }
        #expect(wrong == [])
    }

    @Test func bytesBehindAMessageAreIgnored() throws {
        let wrong = try kindsThatFail(samples: 2, seed: 2) { kind, sample in
            try kind.codec.run((sample.bytes + [1, 2, 3, 4, 5])[...]).encoded == sample.bytes
        }
        #expect(wrong == [])
    }

    @Test func aMessageThatEndsEarlyIsRefused() throws {
        let wrong = try kindsThatFail(samples: 3, seed: 3) { kind, sample in
            sample.bytes.indices.allSatisfy { refuses(kind, sample.bytes[..<$0]) }
        }
        #expect(wrong == [])
    }

    @Test func countsBeyondTheLimitOrTheMessageAreRefused() throws {
        let wrong = try kindsThatFail(samples: 4, seed: 4) { kind, sample in
            sample.counts.allSatisfy { count in
                let left = sample.bytes.count - count.offset - 4
                let beyond = Swift.min(count.max, left / count.elementSize) + 1
                return [.max, 0x8000_0000, 0x7FFF_FFFF, UInt32(count.max) + 1, UInt32(beyond)].allSatisfy { number in
                    refuses(kind, sample.replacing(number, at: count.offset)[...])
                }
            }
        }
        #expect(wrong == [])
    }

    @Test func randomBytesNeverDoHarm() {
        var generator = SeededGenerator(seed: 5)
        for kind in MessageKind.all {
            for _ in 0..<50 {
                let length = Int.random(in: 0...120, using: &generator)
                let sparse = UInt8.random(in: 0...3, using: &generator)
                let bytes = (0..<length).map { index in
                    index % 4 == 3 || sparse == 0 ? UInt8.random(in: 0...12, using: &generator) : 0
                }
                guard let result = try? kind.codec.run(bytes[...]), result.encoded != result.again else { continue }
                Issue.record("\(kind.name): \(bytes)")
            }
        }
    }

    /// The kinds of messages for which a check of random samples does not hold or throws.
    private func kindsThatFail(
        samples count: Int, seed: UInt64, _ check: (MessageKind, Sample) throws -> Bool
    ) throws -> [String] {
        var failing: [String] = []
        for kind in MessageKind.all {
            let samples = try kind.samples(count, seed: seed)
            if !samples.allSatisfy({ (try? check(kind, $0)) == true }) { failing.append(kind.name) }
        }
        return failing
    }

    private func refuses(_ kind: MessageKind, _ bytes: ArraySlice<UInt8>) -> Bool {
        do {
            _ = try kind.codec.run(bytes)
            return false
        } catch {
            return error == XDRReader.failure
        }
    }
}
