/// What a document prints is read again. It may lose something then, as a traffic limit of zero does in libvirt as well,
/// but what it prints then is the same for ever.
enum Stability {
    static func check<Text: Equatable>(_ first: Text, _ again: (Text) throws -> Text) {
        guard let second = try? again(first) else { fatalError("not readable: \(first)") }
        guard (try? again(second)) == second else { fatalError("unstable: \(second)") }
    }
}
