import Testing
import VirtWire

@testable import protocolgen

/// The arguments, reply or event of one procedure: its codec, and its struct in the description.
struct MessageKind: Sendable {
    /// "remote DOMAIN_CREATE call"
    let name: String
    let codec: Codec
    let program: String
    /// The struct's name in the description; nil: void.
    let structure: String?

    /// Those of all programs.
    static let all: [MessageKind] = CodecTable.all.flatMap { table in
        (Descriptions.parsed[table.program.name]?.program?.procedures ?? []).flatMap { procedure in
            let number = Int32(procedure.number)
            let sides: [(String, Codec?, String?)] =
                procedure.isEvent
                ? [("event", table.events[number], procedure.arguments)]
                : [
                    ("call", table.arguments[number], procedure.arguments),
                    ("reply", table.replies[number], procedure.reply),
                ]
            return sides.compactMap { side, codec, structure in
                codec.map {
                    MessageKind(
                        name: "\(table.program.name) \(procedure.name) \(side)", codec: $0,
                        program: table.program.name, structure: structure)
                }
            }
        }
    }

    /// Random valid messages of this kind.
    func samples(_ count: Int, seed: UInt64) throws -> [Sample] {
        guard let structure else { return [Sample()] }
        return try #require(Descriptions.writers[program]).samples(count, of: structure, seed: seed)
    }
}

/// The descriptions of the repository, by program.
enum Descriptions {
    static let writers: [String: SampleWriter] = parsed.mapValues { description in
        SampleWriter(description, including: description.includes.compactMap { parsed[String($0.dropLast(2))] })
    }

    static let parsed: [String: Description] = {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let directory = root + "/Sources/Shared/VirtWire/Protocols"
        guard let files = try? Files.read(directory: directory, suffix: ".x") else { return [:] }
        var result: [String: Description] = [:]
        for (name, text) in files { result[String(name.dropLast(2))] = try? Parser.parse(text, file: name) }
        return result
    }()
}
