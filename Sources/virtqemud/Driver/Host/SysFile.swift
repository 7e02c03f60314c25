import VirtOS

/// Small files of /sys and /proc. All of it blocks, for a moment.
enum SysFile {
    static func text(_ path: String) -> String? {
        guard let bytes = try? FileSystem.read(path, limit: 4 << 20) else { return nil }
        var text = String(decoding: bytes, as: UTF8.self)
        while text.last == "\n" { text.removeLast() }
        return text
    }

    static func number<Integer: FixedWidthInteger>(_ path: String, as type: Integer.Type = Integer.self) -> Integer? {
        text(path).flatMap { Integer($0) }
    }

    /// The members of a list like `0-3,8`.
    static func list(_ path: String) -> [Int] { text(path).map(list(parsing:)) ?? [] }

    static func list(parsing text: String) -> [Int] {
        text.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first >= 0, first <= last, last < 1 << 20 else {
                return []
            }
            return Array(first...last)
        }
    }

    /// `0-3,8`.
    static func format(_ members: [Int]) -> String {
        var parts: [String] = []
        var index = 0
        while index < members.count {
            var end = index
            while end + 1 < members.count, members[end + 1] == members[end] + 1 { end += 1 }
            parts.append(index == end ? "\(members[index])" : "\(members[index])-\(members[end])")
            index = end + 1
        }
        return parts.joined(separator: ",")
    }

    /// The entries of a directory, unsorted.
    static func names(_ path: String) -> [String] { (try? FileSystem.names(in: path)) ?? [] }

    /// The field of a line like `Node 0 MemTotal:  100 kB`, in KiB.
    static func kibibytes(_ field: String, in text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            guard let range = line.firstRange(of: field + ":") else { continue }
            return line[range.upperBound...].split(separator: " ").first.flatMap { UInt64($0) }
        }
        return nil
    }
}
