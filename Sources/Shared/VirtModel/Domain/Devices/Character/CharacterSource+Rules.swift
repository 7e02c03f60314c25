import VirtCore
import VirtXML

extension CharacterSource {
    /// A socket without a path listens on one that libvirt makes up at start.
    mutating func completeUNIX(channel name: String?, prefix: String) throws(VirtError) {
        guard type == .unix else { return }
        if let name, let own = path, Self.isGenerated(own, name, prefix) { path = nil }
        if path == nil { try listenSomewhere() }
    }

    /// The paths that libvirt has made up over the years: `DIR/target/DOMAIN.NAME`, `DIR/DOMAIN.NAME`, and
    /// `.../domain-DOMAIN/NAME` anywhere.
    private static func isGenerated(_ path: String, _ name: String, _ prefix: String) -> Bool {
        let parts = path.split(separator: "/")
        if let last = parts.last, last == name, let parent = parts.dropLast().last, parent.hasPrefix("domain-") {
            return true
        }
        var base = prefix
        if path.hasPrefix(prefix + "/target/") { base += "/target" }
        guard path.hasPrefix(base + "/") else { return false }
        let rest = path.dropFirst(base.utf8.count + 1)
        return rest.hasSuffix("." + name) && !rest.contains("/")
    }

    /// Refuses a source without what its kind needs.
    func validate(_ context: DomainValidation) throws(VirtError) {
        switch type {
        case .file, .pipe, .dev:
            guard path != nil else { throw missing("path") }
        case .tcp:
            guard host != nil else { throw missing("host") }
            guard service != nil else { throw missing("service") }
        case .udp:
            guard service != nil else { throw missing("service") }
        case .unix:
            guard path != nil else { throw missing("path") }
        case .spiceport, .spicevmc:
            guard context.devices.graphics.contains(where: { $0.type == .spice }) else {
                throw VirtError.unsupported("chardev '\(type.rawValue)' not supported without spice graphics", .qemu)
            }
        case .null, .vc, .pty, .stdio, .dbus, .qemuVDAgent, .nmdm: return
        }
    }

    private func missing(_ attribute: String) -> VirtError {
        VirtError(.internalError, .domain, "Missing source \(attribute) attribute for char device")
    }
}
