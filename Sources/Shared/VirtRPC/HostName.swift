import Glibc
import VirtCore

/// The host's name as virConnectGetHostname gives it.
enum HostName {
    /// The canonical name of the host, or its plain name where no resolver knows better. May wait for a resolver.
    static func canonical() throws(VirtError) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else {
            throw .system(errno, .none, "failed to determine host name")
        }
        let name = text(buffer)
        if name.hasPrefix("localhost") || name.contains(".") { return name }
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_CANONNAME
        unsafe hints.ai_family = AF_UNSPEC
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(name, nil, &hints, &list) == 0, let list = unsafe list else { return name }
        defer { unsafe freeaddrinfo(list) }
        guard let canonical = unsafe list.pointee.ai_canonname else { return name }
        let full = unsafe String(cString: canonical)
        return full.hasPrefix("localhost") ? name : full
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
