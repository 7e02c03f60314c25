import Glibc
import QEMUCommand
import Testing

/// Files beside the tests. `UPDATE_FIXTURES=1` writes expectations anew.
enum Fixture {
    static let directory =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        + "/Fixtures/"

    static var isUpdating: Bool { getenv("UPDATE_FIXTURES") != nil }

    static func text(_ name: String) throws -> String {
        let file = try #require(fopen(directory + name, "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func write(_ text: String, to name: String) throws {
        let file = try #require(fopen(directory + name, "w"))
        fputs(text, file)
        fclose(file)
    }

    static func capabilities() throws -> QEMUCapabilities {
        try QEMUCapabilities.parse(cache: text("x86_64-7.2.xml").utf8)
    }
}
