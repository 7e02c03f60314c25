import Glibc

/// A connected client whose calls wait for their answer; the load modes take its socket over after the handshake.
final class Session {
    let socket: Int32
    private var serial: UInt32 = 0

    init(path: String) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw Failure.system("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw Failure("path too long") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let failure = Failure.system(path)
            close(socket)
            throw failure
        }
    }

    /// Connects and opens the URI, as a client does.
    static func open(_ path: String) throws -> Session {
        let session = try Session(path: path)
        do {
            _ = try session.call(Procedure.authList)
            var payload: [UInt8] = []
            payload.append(word: 1)
            payload.append(string: "qemu:///system")
            payload.append(word: 0)
            _ = try session.call(Procedure.open, payload)
        } catch {
            session.end()
            throw error
        }
        return session
    }

    func end() { close(socket) }

    /// The reply's payload.
    func call(_ procedure: UInt32, _ payload: [UInt8] = []) throws -> [UInt8] {
        serial += 1
        var message = Message(procedure: procedure, payload: payload)
        message.set(serial: serial)
        try write(message.bytes)
        while true {
            let frame = try readFrame()
            guard frame.word(at: 4) == Message.remoteProgram, frame.word(at: 16) == Message.Kind.reply.rawValue
            else { continue }
            guard frame.word(at: 24) == 0 else { throw Failure("procedure \(procedure): \(errorText(frame))") }
            return Array(frame.dropFirst(Message.headerSize))
        }
    }

    /// The message of an error reply: code, domain, then an optional string.
    private func errorText(_ frame: [UInt8]) -> String {
        let body = Array(frame.dropFirst(Message.headerSize))
        guard body.word(at: 8) == 1 else { return "failed" }
        return String(decoding: body.dropFirst(16).prefix(Int(body.word(at: 12))), as: UTF8.self)
    }

    private func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { send(socket, $0.baseAddress! + sent, bytes.count - sent, 0x4000) }
            guard count > 0 else { throw Failure.system("send") }
            sent += count
        }
    }

    private func readFrame() throws -> [UInt8] {
        let length = try read(4)
        let rest = Int(length.word(at: 0)) - 4
        guard rest >= 24, rest < 1 << 26 else { throw Failure("bad frame") }
        return try length + read(rest)
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let got = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress! + have, count - have, 0) }
            guard got != 0 else { throw Failure("connection closed") }
            guard got > 0 else { throw Failure.system("recv") }
            have += got
        }
        return bytes
    }
}
