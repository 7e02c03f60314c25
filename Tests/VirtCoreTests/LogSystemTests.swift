import Synchronization
import Testing
import VirtCore

/// Keeps what it is given.
final class RecordingSink: LogSink {
    private let recorded = Mutex<[String]>([])
    var lines: [String] { recorded.withLock { $0 } }

    func write(_ message: LogMessage, line: String) {
        recorded.withLock { $0.append("\(message.level.rawValue):\(message.category):\(message.text)") }
    }
}

@Suite struct LogSystemTests {
    private let system = LogSystem()
    private let sink = RecordingSink()

    private func output(_ level: LogLevel) -> [(LogOutput, any LogSink)] { [(LogOutput(level, .journald), sink)] }

    @Test func `a message below the level is never even built`() {
        system.setOutputs(output(.debug))
        let logger = Logger("rpc.server", system: system)
        var built = 0
        func text() -> String {
            built += 1
            return "text"
        }
        logger.debug(text())
        logger.info(text())
        logger.warning(text())
        #expect(built == 1)
        #expect(sink.lines == ["3:rpc.server:text"])
    }

    @Test func `filters change loggers that exist already, and the first match decides`() throws {
        system.setOutputs(output(.debug))
        let qemu = Logger("qemu.domain", system: system)
        let json = Logger("util.json", system: system)
        system.filters = try LogFilter.parse("4:json 1:qemu 1:util")
        qemu.debug("a")
        json.warning("b")
        json.error("c")
        system.filters = []
        qemu.debug("d")
        #expect(sink.lines == ["1:qemu.domain:a", "4:util.json:c"])
    }

    @Test func `an output takes only what reaches its level`() {
        system.level = .debug
        let quiet = RecordingSink()
        system.setOutputs([(LogOutput(.info, .journald), sink), (LogOutput(.error, .stderr), quiet)])
        let logger = Logger("a", system: system)
        logger.debug("1")
        logger.info("2")
        logger.error("3")
        #expect(sink.lines == ["2:a:2", "4:a:3"])
        #expect(quiet.lines == ["4:a:3"])
        #expect(!logger.isEnabled(.debug))
    }

    @Test func `every output begins with the introduction, once`() {
        system.setIntroduction(["libvirt version: 9.0.0", "hostname: h"])
        system.setOutputs(output(.warning))
        let logger = Logger("a", system: system)
        logger.error("1")
        logger.error("2")
        #expect(sink.lines == ["2:util.log:libvirt version: 9.0.0", "2:util.log:hostname: h", "4:a:1", "4:a:2"])
    }

    @Test func `errors about objects that were not found are debug messages`() {
        system.setOutputs(output(.debug))
        let logger = Logger("a", system: system)
        logger.report(VirtError(.noDomain, .qemu, "x"))
        logger.report(VirtError(.operationFailed, .qemu, "y"))
        #expect(sink.lines == ["4:a:operation failed: y"])
    }

    @Test func `a line has libvirt's format`() {
        let message = LogMessage(.warning, "qemu.domain", "text", "start(_:)", 42)
        let stamp = LogLine.timestamp(seconds: 1_795_463_373, milliseconds: 41)
        #expect(stamp == "2026-11-23 19:49:33.041+0000")
        #expect(
            LogLine.format(message, timestamp: stamp, thread: 37)
                == "2026-11-23 19:49:33.041+0000: 37: warning : qemu.domain.start:42 : text\n")
        let introduction = LogMessage(.info, "util.log", "hostname: vm", "", 0)
        #expect(
            LogLine.format(introduction, timestamp: stamp, thread: 37)
                == "2026-11-23 19:49:33.041+0000: 37: info : hostname: vm\n")
    }
}

@Suite struct LogSettingTests {
    // What C libvirt 9.0.0 prints back.
    @Test(arguments: [
        ("1:qemu 3:util.json", "1:*qemu* 3:*util.json*"), ("1:+qemu", "1:*qemu*"), ("1:*qemu*", "1:**qemu**"), ("", ""),
        ("  1:a   2:b ", "1:*a* 2:*b*"), ("1:a:b", "1:*a*"), ("01:a", "1:*a*"), ("+1:x", "1:*x*"), ("1:++x", "1:*+x*"),
    ])
    func `filters come back with stars`(text: String, shown: String) throws {
        #expect(try LogFilter.parse(text).map(\.text).joined(separator: " ") == shown)
    }

    @Test(arguments: [
        ("x:qemu", "Invalid priority 'x' for filter 'x:qemu'"), ("5:a", "Invalid priority '5' for filter '5:a'"),
        ("0:a", "Invalid priority '0' for filter '0:a'"), ("1:", "Invalid match string ''"),
        ("1:+", "Invalid match string '+'"),
        ("1", "Malformed format for filter '1'"), ("1:a 9:b", "Invalid priority '9' for filter '9:b'"),
        (":a", "Invalid priority '' for filter ':a'"), ("-1:a", "Invalid priority '-1' for filter '-1:a'"),
    ])
    func `wrong filters get libvirt's texts`(text: String, problem: String) {
        #expect(throws: VirtError(.invalidArg, .none, problem)) { try LogFilter.parse(text) }
    }

    @Test(arguments: [
        ("1:stderr 2:file:/tmp/a.log", "1:stderr 2:file:/tmp/a.log"), ("3:syslog:ident", "3:syslog:ident"),
        ("1:journald", "1:journald"), ("1:stderr 3:stderr", "3:stderr"), ("3:syslog:", "3:syslog:"),
        ("01:stderr", "1:stderr"),
        ("1:file:/n 2:stderr 3:file:/n", "2:stderr 3:file:/n"), ("", ""),
    ])
    func `outputs come back in their normal form`(text: String, shown: String) throws {
        #expect(try LogOutput.parse(text).map(\.text).joined(separator: " ") == shown)
    }

    @Test(arguments: [
        ("3:file", "Log output '3:file' does not meet the format requirements for destination type 'file'"),
        ("1:stderr:x", "Log output '1:stderr:x' does not meet the format requirements for destination type 'stderr'"),
        ("1:file:/a:b", "Log output '1:file:/a:b' does not meet the format requirements for destination type 'file'"),
        ("1:foo", "Invalid log destination 'foo' for log output '1:foo'"), ("1", "Malformed format for log output '1'"),
        ("5:foo", "Invalid log priority '5' for log output '5:foo'"),
        ("1::", "Invalid log destination '' for log output '1::'"),
    ])
    func `wrong outputs get libvirt's texts`(text: String, problem: String) {
        #expect(throws: VirtError(.invalidArg, .none, problem)) { try LogOutput.parse(text) }
    }

    @Test(arguments: [
        ("1:a*b", "xaYYbz", true), ("1:a?b", "aXb", true), ("1:a?b", "ab", false), ("1:qemu", "virt.qemu.x", true),
        ("1:qemu", "rpc", false), ("1:a*a*a*a*b", String(repeating: "a", count: 2000), false),
    ])
    func `patterns match as globs`(filter: String, category: String, matches: Bool) throws {
        let system = LogSystem()
        system.filters = try LogFilter.parse(filter)
        #expect(Logger(category, system: system).isEnabled(.debug) == matches)
    }
}
