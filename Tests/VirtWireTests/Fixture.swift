@testable import protocolgen

/// A message as it was seen between libvirt's own programs.
struct Fixture: Sendable {
    /// "remote DOMAIN_CREATE call"
    let name: String
    let bytes: [UInt8]
    /// The comments of the payload's lines: "dom.name = "demo"".
    let fields: [String]

    /// All messages in the files of `Fixtures`.
    static let all: [Fixture] = {
        let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let directory = here.dropLast().joined(separator: "/")
        guard let files = try? Files.read(directory: directory + "/Fixtures", suffix: ".hex") else { return [] }
        return files.keys.sorted().flatMap { parse(files[$0] ?? "") }
    }()

    /// Lines of a message: `= name`, then hexadecimal words with a comment for each field; an indented line goes on.
    static func parse(_ text: String) -> [Fixture] {
        var fixtures: [Fixture] = []
        var name: String?
        var bytes: [UInt8] = []
        var fields: [String] = []
        func finish() {
            if let name { fixtures.append(Fixture(name: name, bytes: bytes, fields: payloadFields(fields))) }
        }
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("= ") {
                finish()
                (name, bytes, fields) = (String(line.dropFirst(2)), [], [])
                continue
            }
            let parts = line.split(separator: "#", maxSplits: 1)
            bytes += hexBytes(parts.first ?? "")
            if parts.count == 2 { fields.append(String(parts[1].dropFirst())) }
        }
        finish()
        return fixtures
    }

    private static func hexBytes(_ text: Substring) -> [UInt8] {
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// Seven fields belong to the header; a descriptor count can follow.
    private static func payloadFields(_ fields: [String]) -> [String] {
        let rest = fields.dropFirst(7)
        return Array(rest.first?.hasPrefix("descriptors = ") == true ? rest.dropFirst() : rest)
    }
}
