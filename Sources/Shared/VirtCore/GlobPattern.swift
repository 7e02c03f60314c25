/// A pattern of `*` (any characters) and `?` (one character), as log filters use it.
struct GlobPattern: Sendable, Equatable {
    let text: String
    private let pattern: [UInt8]

    init(_ text: String) {
        self.text = text
        pattern = Array(text.utf8)
    }

    /// Whether the whole text matches.
    ///
    /// Linear in text times pattern: on a mismatch only the last `*` takes one more character.
    func matches(_ candidate: String) -> Bool {
        let text = Array(candidate.utf8)
        var (inText, inPattern) = (0, 0)
        var retry: (text: Int, pattern: Int)?
        while inText < text.count {
            if inPattern < pattern.count, pattern[inPattern] == UInt8(ascii: "*") {
                inPattern += 1
                retry = (inText, inPattern)
            } else if inPattern < pattern.count,
                pattern[inPattern] == UInt8(ascii: "?") || pattern[inPattern] == text[inText]
            {
                inText += 1
                inPattern += 1
            } else if let last = retry {
                retry = (last.text + 1, last.pattern)
                (inText, inPattern) = (last.text + 1, last.pattern)
            } else {
                return false
            }
        }
        return pattern[inPattern...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
