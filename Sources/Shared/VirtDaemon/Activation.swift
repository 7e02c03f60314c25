import CLinux
import Glibc
package import VirtCore
package import VirtOS

/// The descriptors that the service manager started the daemon with.
package struct Activation: Sendable {
    package struct Passed: Sendable {
        package let name: String
        package let descriptor: DescriptorBox

        package init(name: String, descriptor: DescriptorBox) {
            self.name = name
            self.descriptor = descriptor
        }
    }

    private var passed: [Passed]

    package init(_ passed: [Passed]) { self.passed = passed }

    /// Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES announce and unsets these variables, so that no child
    /// takes them for its own. Descriptors are close-on-exec afterwards.
    package static func take() throws(VirtError) -> Activation {
        let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
        let values = variables.map(DaemonPaths.variable)
        for variable in variables { unsafe unsetenv(variable) }
        let announced = try parse(pid: values[0], count: values[1], names: values[2], ownPid: getpid())
        return Activation(
            announced.map { number, name in
                _ = fcntl(number, F_SETFD, FD_CLOEXEC)
                return Passed(name: name, descriptor: DescriptorBox(OwnedDescriptor(number)))
            })
    }

    /// What the variables announce: numbers from 3 on with their names; "" when the manager gives no names.
    static func parse(
        pid: String?, count: String?, names: String?, ownPid: Int32
    ) throws(VirtError) -> [(Int32, String)] {
        guard let pid, Int32(pid) == ownPid, let count else { return [] }
        guard let count = Int32(count), (0...4096).contains(count) else {
            throw VirtError(.internalError, .systemd, "Malformed LISTEN_FDS value '\(count)'")
        }
        guard let names else { return (0..<count).map { (3 + $0, "") } }
        let list = names.split(separator: ":", omittingEmptySubsequences: false)
        guard list.count == Int(count) else {
            throw VirtError(.internalError, .systemd, "expected \(count) descriptor names, got \(list.count)")
        }
        return (0..<count).map { (3 + $0, String(list[Int($0)])) }
    }

    /// The sockets that came with the name of a unit ("virtqemud.socket"), or without any name at the unit's path.
    package mutating func claim(unit: String, path: String) -> [DescriptorBox] {
        let isWanted = { (entry: Passed) in
            entry.name == unit
                || (entry.name.isEmpty || entry.name == "unknown") && Self.path(of: entry.descriptor) == path
        }
        let claimed = passed.filter(isWanted)
        passed.removeAll(where: isWanted)
        return claimed.map(\.descriptor)
    }

    /// Whether the daemon was given sockets to listen on.
    package var hasSockets: Bool { passed.contains { Self.isListening($0.descriptor) } }

    /// What an earlier process of the service left in systemd's store: everything but listening sockets.
    package mutating func claimStored() -> [Passed] {
        let stored = passed.filter { !Self.isListening($0.descriptor) }
        passed.removeAll { entry in stored.contains { $0.descriptor === entry.descriptor } }
        return stored
    }

    /// Fails when something was passed that nobody claimed.
    package func finish() throws(VirtError) {
        guard let left = passed.first else { return }
        throw VirtError(
            .internalError, .systemd,
            "Unexpected extra socket '\(left.name)' passed on descriptor \(left.descriptor.rawValue)")
    }

    private static func isListening(_ descriptor: DescriptorBox) -> Bool {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value == 1
    }

    private static func path(of descriptor: DescriptorBox) -> String? {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor.rawValue, $0, &length)
            }
        }
        guard result == 0, address.sun_family == sa_family_t(AF_UNIX) else { return nil }
        return unsafe withUnsafeBytes(of: &address.sun_path) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
