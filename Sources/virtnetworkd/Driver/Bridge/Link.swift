import CNetlink
import Glibc
import VirtCore
import VirtModel

/// Links, addresses and routes of the host, in the daemon's own network namespace. All of it waits.
enum Link {
    /// Whether the kernel takes the text as a device's name: it is also part of paths and command lines.
    static func isValidName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count < 16, name != ".", name != ".." else { return false }
        return name.utf8.allSatisfy { (byte: UInt8) -> Bool in
            byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "/") && byte != UInt8(ascii: ":")
        }
    }

    static func exists(_ name: String) -> Bool { unsafe if_nametoindex(name) != 0 }

    private static func index(_ name: String) throws(VirtError) -> Int32 {
        let index = unsafe if_nametoindex(name)
        guard index != 0 else {
            throw VirtError.system(errno, .network, "Unable to get index for interface \(name)")
        }
        return Int32(clamping: index)
    }

    private static func header(_ name: String) throws(VirtError) -> ifinfomsg {
        var header = ifinfomsg()
        header.ifi_family = UInt8(AF_UNSPEC)
        header.ifi_index = try index(name)
        return header
    }

    /// Changes a link that exists.
    private static func change(
        _ name: String, _ failure: String, _ body: (inout NetlinkMessage) -> Void
    ) throws(VirtError) {
        var message = NetlinkMessage(try header(name))
        body(&message)
        let code = try RouteSocket().request(Int(RTM_NEWLINK), message)
        if code != 0 { throw VirtError.system(code, .network, failure) }
    }

    static func createBridge(_ name: String, mac: MACAddress?) throws(VirtError) {
        guard isValidName(name) else {
            throw VirtError(.internalError, .network, "bridge name '\(name)' is not a valid device name")
        }
        var message = NetlinkMessage(ifinfomsg())
        message.add(Int(IFLA_IFNAME), text: name)
        if let mac { message.add(Int(IFLA_ADDRESS), mac.bytes) }
        message.nest(Int(IFLA_LINKINFO)) { $0.add(Int(IFLA_INFO_KIND), text: "bridge") }
        let code = try RouteSocket().request(
            Int(RTM_NEWLINK), flags: Int32(NLM_F_CREATE | NLM_F_EXCL), message)
        if code != 0 { throw VirtError.system(code, .network, "error creating bridge interface \(name)") }
    }

    static func delete(_ name: String) throws(VirtError) {
        let code = try RouteSocket().request(Int(RTM_DELLINK), NetlinkMessage(try header(name)))
        if code != 0 { throw VirtError.system(code, .network, "error destroying network device \(name)") }
    }

    static func setMTU(_ name: String, _ size: UInt32) throws(VirtError) {
        try change(name, "Cannot set interface MTU on '\(name)'") { $0.add(Int(IFLA_MTU), number: size) }
    }

    static func setOnline(_ name: String, _ isOnline: Bool) throws(VirtError) {
        var header = try header(name)
        header.ifi_change = UInt32(IFF_UP)
        header.ifi_flags = isOnline ? UInt32(IFF_UP) : 0
        let code = try RouteSocket().request(Int(RTM_NEWLINK), NetlinkMessage(header))
        if code != 0 { throw VirtError.system(code, .network, "Cannot set interface flags on '\(name)'") }
    }

    private static func setBridge(
        _ name: String, _ option: String, _ attribute: Int, _ value: some FixedWidthInteger & BitwiseCopyable
    ) throws(VirtError) {
        try change(name, "Unable to set bridge \(name) \(option)") { message in
            message.nest(Int(IFLA_LINKINFO)) { info in
                info.add(Int(IFLA_INFO_KIND), text: "bridge")
                info.nest(Int(IFLA_INFO_DATA)) { $0.add(attribute, number: value) }
            }
        }
    }

    /// - Parameter seconds: the kernel raises it to 2 when the spanning tree is on.
    static func setForwardDelay(_ name: String, seconds: UInt64) throws(VirtError) {
        let ticks = UInt32(clamping: seconds.multipliedReportingOverflow(by: 100).partialValue)
        try setBridge(name, "forward_delay", Int(IFLA_BR_FORWARD_DELAY), ticks)
    }

    static func setSpanningTree(_ name: String, _ isOn: Bool) throws(VirtError) {
        try setBridge(name, "stp_state", Int(IFLA_BR_STP_STATE), UInt32(isOn ? 1 : 0))
    }

    static func setVLANFiltering(_ name: String, _ isOn: Bool) throws(VirtError) {
        try setBridge(name, "vlan_filtering", Int(IFLA_BR_VLAN_FILTERING), UInt8(isOn ? 1 : 0))
    }

    static func addAddress(_ name: String, _ address: IPAddress, prefix: Int) throws(VirtError) {
        var header = ifaddrmsg()
        header.ifa_family = UInt8(address.isIPv4 ? AF_INET : AF_INET6)
        header.ifa_prefixlen = UInt8(clamping: prefix)
        header.ifa_index = UInt32(clamping: try index(name))
        var message = NetlinkMessage(header)
        message.add(Int(IFA_LOCAL), address.bytes)
        let broadcast = address.isIPv4 ? address.broadcast(prefix: prefix) : nil
        if let broadcast { message.add(Int(IFA_BROADCAST), broadcast.bytes) }
        let code = try RouteSocket().request(
            Int(RTM_NEWADDR), flags: Int32(NLM_F_CREATE | NLM_F_EXCL), message)
        guard code != 0 else { return }
        let tail = broadcast.map { " bcast \($0)" } ?? ""
        throw VirtError.system(code, .network, "Failed to add IP address \(address)/\(prefix)\(tail) to \(name)")
    }

    static func addRoute(_ name: String, _ route: Network.Route) throws(VirtError) {
        guard let prefix = route.prefix else {
            throw VirtError(
                .internalError, .network, "network has an invalid netmask or IP address in route definition")
        }
        var header = rtmsg()
        header.rtm_family = UInt8(route.gateway.isIPv4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(clamping: prefix)
        header.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
        header.rtm_scope = UInt8(RT_SCOPE_UNIVERSE.rawValue)
        header.rtm_protocol = UInt8(RTPROT_BOOT)
        header.rtm_type = UInt8(RTN_UNICAST)
        var message = NetlinkMessage(header)
        if prefix > 0 { message.add(Int(RTA_DST.rawValue), route.address.bytes) }
        message.add(Int(RTA_GATEWAY.rawValue), route.gateway.bytes)
        message.add(Int(RTA_OIF.rawValue), number: try index(name))
        message.add(Int(RTA_PRIORITY.rawValue), number: route.effectiveMetric)
        let code = try RouteSocket().request(
            Int(RTM_NEWROUTE), flags: Int32(NLM_F_CREATE | NLM_F_EXCL), message)
        if code != 0 {
            throw VirtError.system(
                code, .network, "Failed to add route \(route.address)/\(prefix) via \(route.gateway) to \(name)")
        }
    }
}
