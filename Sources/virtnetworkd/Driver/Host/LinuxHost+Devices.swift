import Glibc
import VirtCore
import VirtModel
import VirtOS

extension LinuxHost {
    /// Virtual functions have a link to their physical function.
    func isVirtualFunction(_ address: Network.PCIAddress) -> Bool {
        FileSystem.exists("/sys/bus/pci/devices/\(address)/physfn")
    }

    func virtualFunctions(of device: String) async throws -> [VirtualFunction] {
        guard Link.isValidName(device) else { return [] }
        return try await BlockingPool.shared.run {
            let base = "/sys/class/net/\(device)/device"
            let names = try FileSystem.names(in: base).filter { $0.hasPrefix("virtfn") }
            let numbers = names.compactMap { UInt32($0.dropFirst(6)) }.sorted()
            return numbers.compactMap { Self.function("\(base)/virtfn\($0)") }
        }
    }

    private static func function(_ link: String) -> VirtualFunction? {
        guard let target = FileSystem.linkTarget(link), let name = target.split(separator: "/").last,
            let address = Network.PCIAddress(sysfs: String(name))
        else { return nil }
        let interfaces = (try? FileSystem.names(in: link + "/net")) ?? []
        return VirtualFunction(address: address, interface: interfaces.first)
    }
}

extension Network.PCIAddress {
    /// Reads a name of sysfs: `0000:03:00.1`.
    init?(sysfs name: String) {
        let parts = name.split { $0 == ":" || $0 == "." }.map { UInt32($0, radix: 16) }
        guard parts.count == 4, let domain = parts[0], let bus = parts[1], let slot = parts[2], let function = parts[3]
        else { return nil }
        self.init()
        (self.domain, self.bus, self.slot, self.function) = (domain, bus, slot, function)
    }
}

/// Settings of the kernel's network code, which the daemon writes as files.
enum Sysctl {
    private static func write(_ path: String, _ text: String) -> Int32 {
        let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        return unsafe text.withCString { unsafe Glibc.write(descriptor, $0, strlen($0)) } < 0 ? errno : 0
    }

    static func configureIPv6(_ bridge: String, isEnabled: Bool) throws(VirtError) {
        guard Link.isValidName(bridge) else { return }
        let directory = "/proc/sys/net/ipv6/conf/\(bridge)"
        guard FileSystem.exists("\(directory)/disable_ipv6") else { return }
        for (field, value) in [("disable_ipv6", isEnabled ? "0" : "1"), ("accept_ra", "0"), ("autoconf", "0")] {
            let code = write("\(directory)/\(field)", value)
            guard code == 0 else {
                throw VirtError.system(code, .network, "cannot write to '\(directory)/\(field)' on bridge '\(bridge)'")
            }
        }
    }

    /// With forwarding on, the kernel drops what routers announce unless accept_ra is 2.
    static func checkIPv6Forwarding() throws(VirtError) {
        func setting(_ path: String) -> String {
            let bytes = (try? FileSystem.read("/proc/sys/net/ipv6/conf/\(path)", limit: 64)) ?? []
            return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
        }
        if setting("all/forwarding") == "1" { return }
        guard let bytes = try? FileSystem.read("/proc/net/ipv6_route") else { return }
        let names = RouteTable.announced(String(decoding: bytes, as: UTF8.self))
        let lost = names.filter { Link.isValidName($0) && setting("\($0)/accept_ra") != "2" }
        guard !lost.isEmpty else { return }
        let (noun, verb) = lost.count == 1 ? ("interface", "has") : ("interfaces", "have")
        throw VirtError(
            .internalError, .network,
            "Check the host setup: \(noun) \(lost.joined(separator: ", ")) \(verb) kernel autoconfigured IPv6 routes "
                + "and enabling forwarding without accept_ra set to 2 will cause the kernel to flush them, "
                + "breaking networking.")
    }

    static func enableForwarding(ipv4: Bool, ipv6: Bool) throws(VirtError) {
        var paths: [String] = []
        if ipv4 { paths.append("/proc/sys/net/ipv4/ip_forward") }
        if ipv6 { paths.append("/proc/sys/net/ipv6/conf/all/forwarding") }
        for path in paths {
            let code = write(path, "1\n")
            if code != 0 { throw VirtError.system(code, .network, "failed to enable IP forwarding") }
        }
    }
}
