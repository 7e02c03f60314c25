import Glibc
import VirtCore

/// The host's name as virConnectGetHostname gives it.
enum HostName {
    /// The canonical name of the host, or its plain name where no resolver knows better. May wait for a resolver.
    static func canonical() throws(VirtError) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else {
            throw .system(errno, .none, "failed to determine host name")
        }
        let name = text(buffer)
        if name.hasPrefix("localhost") || name.contains(".") { return name }
        var hints = addrinfo()
        hints.ai_flags = AI_CANONNAME
        hints.ai_family = AF_UNSPEC
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0, let list else { return name }
        defer { freeaddrinfo(list) }
        guard let canonical = list.pointee.ai_canonname else { return name }
        let full = String(cString: canonical)
        return full.hasPrefix("localhost") ? name : full
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
