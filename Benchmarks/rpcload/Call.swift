/// Numbers of the remote program.
enum Procedure {
    static let open: UInt32 = 1
    static let create: UInt32 = 9
    static let defineXML: UInt32 = 11
    static let destroy: UInt32 = 12
    static let getXML: UInt32 = 14
    static let lookupByName: UInt32 = 23
    static let authList: UInt32 = 66
    static let getLibVersion: UInt32 = 157
    static let memoryStats: UInt32 = 159
    static let getState: UInt32 = 212
    static let listAllDomains: UInt32 = 273
    static let getAllDomainStats: UInt32 = 344
}

/// A call that is made over and over.
struct Call {
    let procedure: UInt32
    let payload: [UInt8]

    static let libVersion = Call(procedure: Procedure.getLibVersion, payload: [])
    static let list = Call(procedure: Procedure.listAllDomains, payload: words([1, 0]))

    /// `libversion`, `list`, `stats`, `xml NAME`, `state NAME`, `memory NAME`, or `NUMBER [HEX]`.
    static func parse(_ words: ArraySlice<String>, _ path: String) throws -> Call {
        let name = words.dropFirst().first
        switch words.first {
        case nil: throw Failure("which call?")
        case "libversion": return libVersion
        case "list": return list
        case "stats": return Call(procedure: Procedure.getAllDomainStats, payload: Self.words([0, 0, 0]))
        case "xml": return try domain(Procedure.getXML, name, path, [0])
        case "state": return try domain(Procedure.getState, name, path, [0])
        case "memory": return try domain(Procedure.memoryStats, name, path, [16, 0])
        case let number?:
            guard let procedure = UInt32(number) else { throw Failure("unknown call \(number)") }
            return Call(procedure: procedure, payload: try hex(name ?? ""))
        }
    }

    /// A domain as calls carry it.
    static func lookUp(_ name: String, _ session: Session) throws -> [UInt8] {
        var payload: [UInt8] = []
        payload.append(string: name)
        return try session.call(Procedure.lookupByName, payload)
    }

    private static func domain(_ procedure: UInt32, _ name: String?, _ path: String, _ rest: [UInt32]) throws -> Call {
        guard let name else { throw Failure("of which domain?") }
        let session = try Session.open(path)
        defer { session.end() }
        return Call(procedure: procedure, payload: try lookUp(name, session) + words(rest))
    }

    private static func words(_ list: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in list { bytes.append(word: word) }
        return bytes
    }

    private static func hex(_ text: String) throws -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue)
        guard digits.count == text.count, digits.count % 2 == 0 else { throw Failure("bad payload") }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
    }
}
