import Glibc

/// Things done one after the other by one client, and how long each took.
enum Steps {
    /// Defines so many domains from a document with @NAME@ and @UUID@ in it.
    static func define(_ path: String, template: String, count: Int, prefix: String) throws -> String {
        let text = try read(template)
        let session = try Session.open(path)
        defer { session.end() }
        var times = Latencies()
        let start = now()
        for number in 0..<count {
            var payload: [UInt8] = []
            payload.append(string: fill(text, prefix, number))
            let from = now()
            _ = try session.call(Procedure.defineXML, payload)
            times.add(now() - from)
        }
        let total = Double(now() - start) / 1e9
        times.sort()
        return "defined=\(count) seconds=\(total.text(3)) p50=\(times.quantile(0.5).text())"
            + " p99=\(times.quantile(0.99).text())"
    }

    /// Defines the same domain again and again and asks for its document each time.
    static func rewrite(_ path: String, template: String, count: Int, prefix: String) throws -> String {
        let text = try read(template)
        let session = try Session.open(path)
        defer { session.end() }
        var definition: [UInt8] = []
        definition.append(string: fill(text, prefix, 0))
        var size = 0
        for _ in 0..<count {
            var payload = try session.call(Procedure.defineXML, definition)
            payload.append(word: 0)
            size = try session.call(Procedure.getXML, payload).count
        }
        return "rewritten=\(count) document=\(size)"
    }

    /// Starts and destroys a domain so many times.
    static func cycle(_ path: String, name: String, rounds: Int) throws -> String {
        let session = try Session.open(path)
        defer { session.end() }
        let domain = try Call.lookUp(name, session)
        var (starts, ends) = (Latencies(), Latencies())
        for _ in 0..<rounds {
            let from = now()
            _ = try session.call(Procedure.create, domain)
            let middle = now()
            _ = try session.call(Procedure.destroy, domain)
            starts.add(middle - from)
            ends.add(now() - middle)
        }
        starts.sort()
        ends.sort()
        return "rounds=\(rounds) start_ms=\((starts.quantile(0.5) / 1000).text())"
            + " destroy_ms=\((ends.quantile(0.5) / 1000).text())"
    }

    /// One call on a domain.
    static func once(_ path: String, _ procedure: UInt32, name: String) throws -> String {
        let session = try Session.open(path)
        defer { session.end() }
        let domain = try Call.lookUp(name, session)
        let from = now()
        _ = try session.call(procedure, domain)
        return "ms=\((Double(now() - from) / 1e6).text())"
    }

    /// Waits until the daemon lists at least so many domains; seconds since a time of the clock on the wall.
    static func ready(_ path: String, since: Double, count: Int) throws -> String {
        let deadline = now() + 60_000_000_000
        while now() < deadline {
            if let listed = try? answer(path), listed >= count {
                var time = timespec()
                clock_gettime(CLOCK_REALTIME, &time)
                let elapsed = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 - since
                return "listed=\(listed) seconds=\(elapsed.text(3))"
            }
            usleep(1000)
        }
        throw Failure("\(path): no answer with \(count) domains within 60 s")
    }

    private static func answer(_ path: String) throws -> Int {
        let session = try Session.open(path)
        defer { session.end() }
        let reply = try session.call(Call.list.procedure, Call.list.payload)
        return Int(reply.word(at: 0))
    }

    /// One document of the template; the same number gives the same UUID.
    private static func fill(_ text: String, _ prefix: String, _ number: Int) -> String {
        let digits = String(number)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        let mark = prefix.utf8.reduce(0) { ($0 &* 31 &+ UInt32($1)) & 0xffff }
        let markDigits = String(mark, radix: 16)
        let group = String(repeating: "0", count: 4 - markDigits.count) + markDigits
        return replace(
            replace(text, "@NAME@", "\(prefix)-\(padded.suffix(4))"), "@UUID@",
            "5f0e4c1a-\(group)-4bd0-8c55-\(padded)")
    }

    private static func replace(_ text: String, _ mark: String, _ value: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let range = rest.firstRange(of: mark) {
            result += rest[..<range.lowerBound] + value
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    private static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw Failure.system(path) }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = bytes.withUnsafeMutableBytes { fread($0.baseAddress, 1, $0.count, file) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
