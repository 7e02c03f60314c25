import VirtCore
import VirtXML

/// Errors of network definitions name the network; the elements below it don't know the name and put this mark
/// where it goes. `Network.parse` fills it in.
enum NetworkXML {
    static let nameMark = "\u{1}"

    static func malformed(_ text: String) -> VirtError { VirtError(.xmlError, .network, text) }
    static func detail(_ text: String) -> VirtError { VirtError(.xmlDetail, .network, text) }
    static func unsupported(_ text: String) -> VirtError { VirtError(.configUnsupported, .network, text) }

    /// Runs `body` and puts the network's name into the error that it throws.
    static func naming<Result>(_ name: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch var error as VirtError {
            error.message = fill(error.message, name)
            error.str2 = error.str2.map { fill($0, name) }
            throw error
        }
    }

    private static func fill(_ text: String, _ name: String) -> String {
        guard text.contains(nameMark) else { return text }
        return text.split(separator: nameMark, omittingEmptySubsequences: false).joined(separator: name)
    }
}

extension ElementMapper {
    /// An attribute whose bad values have an error of their own.
    mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, _ format: XMLFormat = .plain, or failure: (String) -> VirtError
    ) throws(VirtError) {
        guard isReading else { return try attribute(name, &value, format) }
        var text: String?
        try attribute(name, &text)
        guard let text else {
            value = nil
            return
        }
        guard let read = T(xml: text, format: format) else { throw failure(text) }
        value = read
    }

    /// A text attribute that counts as missing when it is empty.
    mutating func nonEmpty(_ name: StaticString, _ value: inout String?) throws(VirtError) {
        try attribute(name, &value)
        if isReading, value?.isEmpty == true { value = nil }
    }
}
