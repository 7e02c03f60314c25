import Glibc
import VirtCore
import VirtOS
import VirtWire

/// Output as JSON lines with their time ("log_format"). A line stays in the pipe until it is whole and written: a process
/// that is killed between the two has it written twice by the next.
struct LineLog {
    /// Bytes without a line end after which they are taken for a line.
    static let longestLine = 32_768

    let domain: LogDomain

    /// What came of a turn.
    struct Outcome: Equatable {
        var moved = 0
        /// Bytes wait that are no whole line yet.
        var isWaiting = false
    }

    /// Writes the whole lines among at most `limit` bytes that wait in the pipe.
    ///
    /// - Parameter isEnding: the guest is gone; what it wrote last is a line too.
    func take(
        from pipe: Int32, into file: RotatingLog, limit: Int, isEnding: Bool, scratch: ScratchPipe
    ) throws(VirtError) -> Outcome {
        var outcome = Outcome()
        while outcome.moved < limit {
            let waiting = try ScratchPipe.waiting(in: pipe)
            guard waiting > 0 else { break }
            let seen = try scratch.peek(pipe, min(waiting, 65_536))
            let isAll = seen.count == waiting && !isEnding && waiting < Self.longestLine
            let lines = Self.lines(seen, keepsRest: isAll)
            for line in lines {
                try file.appendWhole(object(line))
                try scratch.drop(line.count, from: pipe)
                outcome.moved += line.count
            }
            guard !lines.isEmpty else {
                outcome.isWaiting = true
                break
            }
        }
        return outcome
    }

    /// A message of the daemon that runs the guest.
    func append(_ message: String, to file: RotatingLog) throws(VirtError) {
        for line in Self.lines(Array(message.utf8), keepsRest: false) { try file.appendWhole(object(line)) }
    }

    /// Cuts behind each line end; what follows the last one is left out or a line of its own.
    static func lines(_ bytes: [UInt8], keepsRest: Bool) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(bytes[start...end])
            start = end + 1
        }
        if start < bytes.endIndex, !keepsRest { lines.append(bytes[start...]) }
        return lines
    }

    private func object(_ line: ArraySlice<UInt8>) -> [UInt8] {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return object(line, seconds: now.tv_sec, milliseconds: now.tv_nsec / 1_000_000)
    }

    func object(_ line: ArraySlice<UInt8>, seconds: Int, milliseconds: Int) -> [UInt8] {
        // ISO 8601, of libvirt's "2026-11-23 19:49:33.418+0000".
        let time = LogLine.timestamp(seconds: seconds, milliseconds: milliseconds)
        let text = line.last == UInt8(ascii: "\n") ? line.dropLast() : line
        let object: JSONObject = [
            "time": .string(time.replacing(" ", with: "T").replacing("+0000", with: "Z")),
            "domain": .string(domain.name), "uuid": .string(domain.uuid.description),
            "message": .string(String(decoding: text, as: UTF8.self)),
        ]
        return JSONValue.object(object).serialized() + [UInt8(ascii: "\n")]
    }
}

extension ScratchPipe {
    /// Takes bytes out of a pipe that were seen in it.
    func drop(_ count: Int, from pipe: Int32) throws(VirtError) {
        var chunk = [UInt8](repeating: 0, count: min(count, 65_536))
        var left = count
        while left > 0 {
            let got = unsafe Glibc.read(pipe, &chunk, min(left, chunk.count))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw .system(errno, .none, "Unable to read from log pipe") }
            left -= got
        }
    }
}
