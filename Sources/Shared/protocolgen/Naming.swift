/// How names of the descriptions read in Swift.
enum Naming {
    private static let keywords: Set<String> = ["nil", "in", "default", "case", "repeat", "protocol", "operator"]

    /// remote_connect_open_args, DOMAIN_GET_XML_DESC -> RemoteConnectOpenArgs, DomainGetXmlDesc
    static func type(_ name: String) -> String {
        words(name).map(capitalized).joined()
    }

    /// need_results, callbackID -> needResults, callbackID
    static func field(_ name: String) -> String {
        let words = name.split(separator: "_").map(String.init)
        let joined = (words.first ?? "") + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return keywords.contains(joined) ? "`\(joined)`" : joined
    }

    /// REMOTE_DOMAIN_LIST_MAX without its first word -> domainListMax
    static func constant(_ name: some StringProtocol) -> String {
        let words = words(String(name))
        return (words.first ?? "") + words.dropFirst().map(capitalized).joined()
    }

    /// A member of an enumeration without the words that it shares with the enumeration's name.
    static func member(_ name: String, of enumeration: String) -> String {
        var rest = words(name)[...]
        for word in words(enumeration) {
            guard rest.first == word, rest.count > 1 else { break }
            rest = rest.dropFirst()
        }
        return constant(rest.joined(separator: "_"))
    }

    private static func words(_ name: String) -> [String] {
        name.lowercased().split(separator: "_").map(String.init)
    }

    private static func capitalized(_ word: String) -> String {
        word.prefix(1).uppercased() + word.dropFirst()
    }
}
