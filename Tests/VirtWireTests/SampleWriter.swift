@testable import protocolgen

/// Random numbers that are the same in each run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// A random valid message, made from the description alone, without any of the generated code.
struct Sample {
    /// A place where a count or length stands, and the most that is allowed there.
    struct Count: Equatable {
        let offset: Int
        let max: Int
        let elementSize: Int
    }

    fileprivate(set) var bytes: [UInt8] = []
    fileprivate(set) var counts: [Count] = []

    /// The bytes with another word at `offset`.
    func replacing(_ word: UInt32, at offset: Int) -> [UInt8] {
        var changed = bytes
        withUnsafeBytes(of: word.bigEndian) { changed.replaceSubrange(offset..<(offset + 4), with: $0) }
        return changed
    }
}

/// Makes samples of a program's structs.
struct SampleWriter {
    private let resolver: Resolver
    private var structures: [String: StructureSyntax] = [:]
    private var members: [String: [Int]] = [:]
    private var generator = SeededGenerator(seed: 0)
    private var sample = Sample()

    init(_ description: Description, including others: [Description]) {
        resolver = Resolver(description, including: others)
        for part in others + [description] {
            for structure in part.structures { structures[Naming.type(structure.name)] = structure }
            for list in part.enumerations { members[Naming.type(list.name)] = list.members.map(\.value) }
        }
    }

    /// So many samples of a struct, the same for the same seed.
    func samples(_ count: Int, of structure: String, seed: UInt64) throws -> [Sample] {
        var writer = self
        writer.generator = SeededGenerator(seed: seed)
        return try (0..<count).map { _ in
            writer.sample = Sample()
            try writer.write(structure: Naming.type(structure))
            return writer.sample
        }
    }

    private mutating func write(structure: String) throws {
        for field in structures[structure]?.fields ?? [] { try write(try resolver.type(of: field)) }
    }

    private mutating func write(_ type: WireType) throws {
        switch type {
        case .scalar(let name): write(scalar: name)
        case .string(let max): write(text: max)
        case .opaque(let max): write(data: max)
        case .fixedOpaque(let count): write(bytes: count)
        case .fixedCharacters(let count): for _ in 0..<count { write(scalar: "int8") }
        case .codable("TypedParameter", _): write(typedParameter: ())
        case .codable(let name, _):
            if let values = members[name] {
                put(UInt32(values.randomElement(using: &generator) ?? 0))
            } else {
                try write(structure: name)
            }
        case .uuid: for _ in 0..<4 { put(UInt32.random(in: 0 ... .max, using: &generator)) }
        case .optional(let inner):
            let isPresent = Bool.random(using: &generator)
            put(isPresent ? 1 : 0)
            if isPresent { try write(inner) }
        case .array(let element, let max):
            let count = Int.random(in: 0...min(max, 3), using: &generator)
            put(count: count, max: max, elementSize: element.leastSize)
            for _ in 0..<count { try write(element) }
        }
    }

    private mutating func put(_ word: UInt32) {
        withUnsafeBytes(of: word.bigEndian) { sample.bytes += $0 }
    }

    private mutating func put(count: Int, max: Int, elementSize: Int) {
        sample.counts.append(Sample.Count(offset: sample.bytes.count, max: max, elementSize: elementSize))
        put(UInt32(count))
    }

    private mutating func write(scalar name: String) {
        let word = UInt32.random(in: 0 ... .max, using: &generator)
        switch name {
        case "int8": put(UInt32(bitPattern: Int32(Int8(truncatingIfNeeded: word))))
        case "int16": put(UInt32(bitPattern: Int32(Int16(truncatingIfNeeded: word))))
        case "uint8": put(word & 0xFF)
        case "uint16": put(word & 0xFFFF)
        case "bool": put(word & 1)
        case "int64", "uint64":
            put(word)
            put(word ^ 0x1234_5678)
        case "double":
            put(0x4000_0000 | word & 0xF_FFFF)
            put(word)
        default: put(word)
        }
    }

    private mutating func pad() {
        while sample.bytes.count % 4 != 0 { sample.bytes.append(0) }
    }

    private mutating func write(text max: Int) {
        let alphabet = ["a", "Z", "7", "/", " ", "ä", "€", "😀", "<", "\n"]
        let count = Int.random(in: 0...9, using: &generator)
        let text = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? "" }.joined()
        put(count: text.utf8.count, max: max, elementSize: 1)
        sample.bytes += text.utf8
        pad()
    }

    private mutating func write(data max: Int) {
        let count = Int.random(in: 0...min(max, 13), using: &generator)
        put(count: count, max: max, elementSize: 1)
        write(bytes: count)
    }

    private mutating func write(bytes count: Int) {
        for _ in 0..<count { sample.bytes.append(UInt8.random(in: 0...255, using: &generator)) }
        pad()
    }

    private mutating func write(typedParameter: ()) {
        write(text: 4_194_304)
        let type = UInt32.random(in: 1...7, using: &generator)
        put(type)
        switch type {
        case 3, 4: write(scalar: "int64")
        case 5: write(scalar: "double")
        case 6: write(scalar: "bool")
        case 7: write(text: 4_194_304)
        default: write(scalar: "int32")
        }
    }
}
