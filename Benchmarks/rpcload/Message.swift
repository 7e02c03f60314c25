/// A message of libvirt's protocol as bytes: length word, header, payload.
struct Message {
    static let headerSize = 28
    static let remoteProgram: UInt32 = 0x2000_8086
    static let keepaliveProgram: UInt32 = 0x6b65_6570
    static let ping: UInt32 = 1
    static let pong: UInt32 = 2

    enum Kind: UInt32 {
        case call = 0
        case reply = 1
        case message = 2
    }

    var bytes: [UInt8]

    init(program: UInt32 = remoteProgram, procedure: UInt32, kind: Kind = .call, payload: [UInt8] = []) {
        bytes = []
        let length = UInt32(Message.headerSize + payload.count)
        for word in [length, program, 1, procedure, kind.rawValue, 0, 0] { bytes.append(word: word) }
        bytes += payload
    }

    mutating func set(serial: UInt32) { bytes.withUnsafeMutableBytes { $0.set(serial, at: 20) } }

    static let keepalivePing = Message(program: keepaliveProgram, procedure: ping, kind: .message)
}

extension UnsafeMutableRawBufferPointer {
    func set(_ word: UInt32, at offset: Int) { storeBytes(of: word.bigEndian, toByteOffset: offset, as: UInt32.self) }
}

extension UnsafeRawPointer {
    func word(_ offset: Int) -> UInt32 { UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
}

extension [UInt8] {
    mutating func append(word: UInt32) {
        for shift in [24, 16, 8, 0] as [UInt32] { append(UInt8(truncatingIfNeeded: word >> shift)) }
    }

    mutating func append(string: String) {
        let bytes = Array(string.utf8)
        append(word: UInt32(bytes.count))
        self += bytes
        self += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    func word(at index: Int) -> UInt32 {
        guard count >= index + 4 else { return 0 }
        return self[index..<(index + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
