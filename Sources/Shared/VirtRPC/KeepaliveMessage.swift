import VirtWire

/// The two messages of the keepalive program: 28 bytes each, no payload.
enum KeepaliveMessage {
    static let program = KeepaliveProgram.number
    static let pingNumber: Int32 = 1
    static let pongNumber: Int32 = 2
    static let ping = message(pingNumber)
    static let pong = message(pongNumber)

    private static func message(_ procedure: Int32) -> [UInt8] {
        XDRWriter.frame(
            MessageHeader(program: program, version: 1, procedure: procedure, type: .message, serial: 0))
    }
}
