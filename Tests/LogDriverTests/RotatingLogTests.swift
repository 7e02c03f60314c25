import Glibc
import Testing
import VirtCore
import VirtOS

@testable import LogDriver

/// A directory that is gone with the test.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/virtswarm-log-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileSystem.removeTree(path) }

    func text(_ name: String) throws -> String {
        String(decoding: try FileSystem.read("\(path)/\(name)"), as: UTF8.self)
    }
    func exists(_ name: String) -> Bool { FileSystem.exists("\(path)/\(name)") }
}

@Suite struct RotatingLogTests {
    private func lines(_ range: ClosedRange<Int>) -> String { range.map { "line \($0)\n" }.joined() }

    private func write(_ text: String, to pipe: OwnedDescriptor.Pipe) throws {
        try FileSystem.write(pipe.writing.rawValue, Array(text.utf8), name: "pipe")
    }

    @Test func `text is appended behind what is there`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/g.log"
        try RotatingLog(path: path, policy: RotationPolicy()).append(Array("one\n".utf8))
        let log = RotatingLog(path: path, policy: RotationPolicy())
        try log.append(Array("two\n".utf8))
        #expect(try scratch.text("g.log") == "one\ntwo\n")
        #expect(log.offset == 8)
    }

    @Test func `a file is rotated between lines, and the oldest goes`() throws {
        let scratch = try Scratch()
        let log = RotatingLog(path: "\(scratch.path)/g.log", policy: RotationPolicy(size: 100, backups: 2))
        try log.append(Array(lines(1...60).utf8))
        let (newest, first, second) = (
            try scratch.text("g.log"), try scratch.text("g.log.0"), try scratch.text("g.log.1")
        )
        #expect(!scratch.exists("g.log.2"))
        #expect(lines(1...60).hasSuffix(second + first + newest))
        for text in [newest, first, second] {
            #expect(text.utf8.count <= 100)
            #expect(text.hasSuffix("\n"))
        }
    }

    @Test func `without backups the file starts over`() throws {
        let scratch = try Scratch()
        let log = RotatingLog(path: "\(scratch.path)/g.log", policy: RotationPolicy(size: 50, backups: 0))
        try log.append(Array(lines(1...20).utf8))
        #expect(lines(1...20).hasSuffix(try scratch.text("g.log")))
        #expect(!scratch.exists("g.log.0"))
    }

    @Test func `a line longer than the search is cut at the limit`() {
        let bytes = Array(repeating: UInt8(ascii: "x"), count: 300)
        #expect(RotatingLog.cut(bytes, room: 200) == 200)
        var late = bytes
        late[119] = UInt8(ascii: "\n")
        #expect(RotatingLog.cut(late, room: 200) == 200)
        late[120] = UInt8(ascii: "\n")
        #expect(RotatingLog.cut(late, room: 200) == 121)
    }

    @Test func `output moves from the pipe to the files without a byte lost or doubled`() throws {
        let scratch = try Scratch()
        let log = RotatingLog(path: "\(scratch.path)/g.log", policy: RotationPolicy(size: 1000, backups: 50))
        let pipe = try OwnedDescriptor.pipe(nonBlocking: true)
        let peek = try ScratchPipe()
        for start in stride(from: 1, to: 2000, by: 100) {
            try write(lines(start...(start + 99)), to: pipe)
            while try log.take(from: pipe.reading.rawValue, limit: 300, scratch: peek) > 0 {}
        }
        var all = try scratch.text("g.log")
        for index in 0..<50 where scratch.exists("g.log.\(index)") { all = try scratch.text("g.log.\(index)") + all }
        #expect(all == lines(1...2000))
    }

    @Test func `lines stay whole where the pipe holds far more than the file takes`() throws {
        let scratch = try Scratch()
        let log = RotatingLog(path: "\(scratch.path)/g.log", policy: RotationPolicy(size: 10_000, backups: 50))
        let pipe = try OwnedDescriptor.pipe(nonBlocking: true)
        try write(lines(1...5000), to: pipe)
        #expect(try log.take(from: pipe.reading.rawValue, limit: .max, scratch: ScratchPipe()) == lines(1...5000).count)
        #expect(try scratch.text("g.log.0").hasSuffix("\n"))
        #expect(try scratch.text("g.log.3").utf8.count > 9900)
    }

    @Test func `the end is found again when another program cut the file`() throws {
        let scratch = try Scratch()
        let log = RotatingLog(path: "\(scratch.path)/g.log", policy: RotationPolicy())
        try log.append(Array(lines(1...10).utf8))
        #expect(truncate("\(scratch.path)/g.log", 0) == 0)
        try log.append(Array("after\n".utf8))
        #expect(try scratch.text("g.log") == "after\n")
        #expect(log.offset == 6)
    }

    @Test func `a file that is too large already is put aside before it is written to`() throws {
        let scratch = try Scratch()
        try FileSystem.atomicWrite("\(scratch.path)/g.log", Array(lines(1...50).utf8))
        let log = RotatingLog(path: "\(scratch.path)/g.log", policy: RotationPolicy(size: 100, backups: 2))
        try log.append(Array("next\n".utf8))
        #expect(try scratch.text("g.log") == "next\n")
        #expect(try scratch.text("g.log.0") == lines(1...50))
    }

    @Test func `a rotation that failed half-way goes on where it stopped`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/g.log"
        for (name, text) in [("g.log", lines(1...50)), ("g.log.0", "zero"), ("g.log.1", "one")] {
            try FileSystem.atomicWrite("\(scratch.path)/\(name)", Array(text.utf8))
        }
        // Nothing can take the name of a directory with something in it.
        try FileSystem.makeDirectories("\(path).2/full")
        let log = RotatingLog(path: path, policy: RotationPolicy(size: 100, backups: 3))
        #expect(throws: VirtError.self) { try log.append(Array("next\n".utf8)) }
        #expect(try scratch.text("g.log") == lines(1...50))
        try FileSystem.removeTree("\(path).2")
        try log.append(Array("next\n".utf8))
        #expect(try scratch.text("g.log") == "next\n")
        #expect(try scratch.text("g.log.0") == lines(1...50))
        #expect(try scratch.text("g.log.1") == "zero")
        #expect(try scratch.text("g.log.2") == "one")
    }

    @Test func `reading goes on from a rotated file into the next`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/g.log"
        let log = RotatingLog(path: path, policy: RotationPolicy(size: 100, backups: 5))
        try log.append(Array(lines(1...8).utf8))
        let (inode, offset) = (log.inode, log.offset)
        try log.append(Array(lines(9...40).utf8))
        let reader = LogReader(path: path, backups: 5)
        let bytes = try reader.read(inode: inode, offset: offset, count: 4000)
        #expect(String(decoding: bytes, as: UTF8.self) == lines(9...40))
        #expect(try reader.read(inode: inode, offset: offset, count: 10).count == 10)
    }
}
