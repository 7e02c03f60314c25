import Glibc

/// rpcload: a load generator for libvirt's protocol over a UNIX socket. It shares no code with the daemons, so that it
/// does not share their faults. Prints one line of key=value; times are microseconds unless the key says otherwise.
@main
enum Main {
    static let usage = """
        usage: rpcload load SOCKET CLIENTS DEPTH SECONDS CALL
               rpcload bare SOCKET CLIENTS DEPTH SECONDS [CALL]   without opening: the echo server
               rpcload flood SOCKET SECONDS CALL                  200 such calls at once, another client's p99
               rpcload define SOCKET TEMPLATE COUNT PREFIX
               rpcload rewrite SOCKET TEMPLATE COUNT PREFIX       define and XML of one domain, over and over
               rpcload cycle SOCKET NAME ROUNDS                   start and destroy
               rpcload start|destroy SOCKET NAME
               rpcload ready SOCKET SINCE COUNT                   seconds until so many domains are listed
        CALL: libversion | list | stats | xml NAME | state NAME | memory NAME | NUMBER [HEX]
        """

    static func main() {
        do {
            print(try run(Array(CommandLine.arguments.dropFirst())))
        } catch let failure as Failure {
            fail(failure.text, 1)
        } catch {
            fail("\(error)", 1)
        }
    }

    private static func run(_ words: [String]) throws -> String {
        guard words.count >= 3 else { fail(usage, 2) }
        let path = words[1]
        switch (words[0], words.count) {
        case ("load", 6...):
            return try Load(
                path: path, clients: count(words[2]), depth: count(words[3]), seconds: seconds(words[4]),
                call: .parse(words[5...], path)
            ).run()
        case ("bare", 5...):
            return try Load(
                path: path, clients: count(words[2]), depth: count(words[3]), seconds: seconds(words[4]),
                call: words.count == 5 ? .libVersion : .parse(words[5...], path), isBare: true
            ).run()
        case ("flood", 4...):
            return try Flood(path: path, seconds: seconds(words[2]), slow: .parse(words[3...], path)).run()
        case ("define", 5):
            return try Steps.define(path, template: words[2], count: count(words[3]), prefix: words[4])
        case ("rewrite", 5):
            return try Steps.rewrite(path, template: words[2], count: count(words[3]), prefix: words[4])
        case ("start", 3): return try Steps.once(path, Procedure.create, name: words[2])
        case ("destroy", 3): return try Steps.once(path, Procedure.destroy, name: words[2])
        case ("cycle", 4): return try Steps.cycle(path, name: words[2], rounds: count(words[3]))
        case ("ready", 4): return try Steps.ready(path, since: seconds(words[2]), count: Int(words[3]) ?? 0)
        default: fail(usage, 2)
        }
    }

    private static func count(_ word: String) throws -> Int {
        guard let value = Int(word), (1...100_000).contains(value) else { throw Failure("not a count: \(word)") }
        return value
    }

    private static func seconds(_ word: String) throws -> Double {
        guard let value = Double(word), value > 0 else { throw Failure("not a time: \(word)") }
        return value
    }

    private static func fail(_ text: String, _ status: Int32) -> Never {
        let line = Array((text + "\n").utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        exit(status)
    }
}
