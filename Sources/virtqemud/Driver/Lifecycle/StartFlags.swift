/// The flags of virDomainCreateWithFlags and virDomainCreateXML.
enum StartFlags {
    static let paused: UInt32 = 1
    static let autodestroy: UInt32 = 2
    static let bypassCache: UInt32 = 4
    static let forceBoot: UInt32 = 8
    static let validate: UInt32 = 16
    static let resetNVRAM: UInt32 = 32
    static let known: UInt32 = 63
    /// Those of virDomainCreateXML.
    static let knownAtCreation: UInt32 = paused | autodestroy | validate | resetNVRAM
}
