import QEMUCommand
import Testing
import VirtCore
import VirtModel
import VirtXML

/// Whatever a document says, it is taken or refused: nothing traps and nothing hangs.
@Suite struct BadInputTests {
    /// A generator whose numbers are the same in each run.
    private struct Noise: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    /// The whole way. A refusal is an error of libvirt's, with words for whoever wrote the document.
    @discardableResult
    private func isTaken(_ bytes: [UInt8], _ context: DomainCompletionContext) -> Bool {
        do {
            var domain = try Domain.parse(bytes)
            try domain.complete(context)
            try domain.validate(context)
            _ = try domain.format([.inactive, .secure])
            _ = try GuestFixture.commandLine(domain, context)
            return true
        } catch {
            let refusal = error as? VirtError
            #expect(refusal?.message.isEmpty == false, "\(error)")
            return false
        }
    }

    @Test(arguments: GuestFixture.all)
    func `a document cut off at fifty places`(guest: GuestFixture) throws {
        let context = try GuestFixture.context()
        let bytes = Array(guest.input.utf8)
        for place in 0..<50 {
            #expect(!isTaken(Array(bytes[..<(bytes.count * place / 50)]), context), "cut off at \(place) of 50")
        }
    }

    @Test(arguments: GuestFixture.all)
    func `attributes and texts that are empty, huge, negative or noise`(guest: GuestFixture) throws {
        let context = try GuestFixture.context()
        var noise = Noise(state: UInt64(guest.input.utf8.count))
        for range in places(guest.input) {
            let random = (0..<8).map { _ in UInt8.random(in: 1...255, using: &noise) }
            for value in [[], Array("18446744073709551616".utf8), Array("-1".utf8), random] {
                let before = Array(guest.input[..<range.lowerBound].utf8)
                isTaken(before + value + Array(guest.input[range.upperBound...].utf8), context)
            }
        }
    }

    /// The values of all attributes, and the numbers between tags.
    private func places(_ text: String) -> [Range<String.Index>] {
        text.matches(of: /='([^'<>]*)'/).map { match in
            text.index(match.range.lowerBound, offsetBy: 2)..<text.index(before: match.range.upperBound)
        }
            + text.matches(of: />[0-9]+</).map { match in
                text.index(after: match.range.lowerBound)..<text.index(before: match.range.upperBound)
            }
    }
}
