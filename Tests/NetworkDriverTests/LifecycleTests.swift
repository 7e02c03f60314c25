import Testing
import VirtCore
import VirtModel

@testable import NetworkDriver

@Suite("Starting and stopping networks")
struct LifecycleTests {
    /// Has every step that a start can have.
    private static let body = """
        <forward mode='nat'/><bridge name='vb0' macTableManager='libvirt'/><mtu size='1400'/>
        <mac address='52:54:00:00:00:01'/><bandwidth><inbound average='100'/><outbound average='100'/></bandwidth>
        <ip address='10.7.0.1' prefix='24'><dhcp><range start='10.7.0.2' end='10.7.0.9'/></dhcp></ip>
        <ip family='ipv6' address='fd07::1' prefix='64'/>
        """

    private func lifecycle(_ host: FakeHost) -> NetworkLifecycle { NetworkLifecycle(host: host, paths: .test) }

    @Test("A start makes bridge, rules, addresses and dnsmasq in this order, and the state file last")
    func start() async throws {
        let host = FakeHost()
        let status = try await lifecycle(host).start(try network(Self.body))
        let order = host.actions.compactMap { Self.label($0) }
        #expect(
            order == [
                "createBridge", "setMTU", "setForwardDelay", "setSpanningTree", "configureIPv6", "addRules",
                "addAddress", "addAddress", "setVLANFiltering", "setOnline", "checkIPv6Forwarding", "enableForwarding",
                "startDnsmasq",
                "trafficControl",
            ])
        #expect(host.now.files["/nonexistent/s/n.xml"]?.contains("<networkstatus>") == true)
        #expect(status.network.forward?.nat?.ports == Network.PortRange(start: 1024, end: 65535))
        guard case .writeFile("/nonexistent/s/n.xml", _, 0o600)? = host.actions.dropLast().last else {
            return #expect(Bool(false), "the last step was \(String(describing: host.actions.last))")
        }
        #expect(host.now.files["/nonexistent/s/n.unfinished"] == nil)
    }

    @Test("While a network is half there, a file says so")
    func unfinished() async throws {
        let host = FakeHost()
        _ = try await lifecycle(host).start(try network(Self.body))
        let bridge = try #require(host.actions.firstIndex { if case .createBridge = $0 { true } else { false } })
        guard case .writeFile("/nonexistent/s/n.unfinished", let text, _) = host.actions[bridge - 1] else {
            return #expect(Bool(false), "the bridge is not announced")
        }
        let status = try NetworkStatus.parse(text.utf8)
        #expect(status.network.bridge.name == "vb0")
        await lifecycle(host).stop(status.network)
        #expect(host.now.links.isEmpty)
        #expect(host.now.files["/nonexistent/s/n.unfinished"] == nil)
    }

    /// The name of a step; files are left out, and tc's commands count as one.
    private static func label(_ action: HostAction) -> String? {
        switch action {
        case .writeFile, .makeDirectory, .removeFile: return nil
        case .trafficControl(let command):
            return command.arguments.contains(
                "root") && !command.isOptional ? "trafficControl" : nil
        default: return String("\(action)".prefix { $0 != "(" })
        }
    }

    @Test("Whatever step fails, the host is as it was", arguments: 0..<40)
    func failures(step: Int) async throws {
        let host = FakeHost()
        host.prepare {
            $0.hasHook = true
            $0.failing = step
        }
        let network = try network(Self.body)
        do {
            _ = try await lifecycle(host).start(network)
            // There are fewer steps than that; only the very last one, which takes the mark away, may fail.
            #expect(host.actions.count <= step + 1)
            #expect(step > 25)
            #expect(host.linkExists("vb0"))
        } catch {
            #expect(error is FakeHost.Failure)
            let left = host.now
            #expect(left.links.isEmpty)
            #expect(left.rules.isEmpty)
            #expect(left.dnsmasq.isEmpty)
            #expect(left.files["/nonexistent/s/n.xml"] == nil)
            #expect(left.files["/nonexistent/s/n.unfinished"] == nil)
        }
    }

    @Test("A route that the kernel refuses does not stop the network")
    func routes() async throws {
        let host = FakeHost()
        let routed = try network(
            "<bridge name='vb0'/><ip address='10.7.0.1' prefix='24'/>"
                + "<route address='10.8.0.0' prefix='16' gateway='10.7.0.2'/>")
        let count = try await count(routed) { if case .addRoute = $0 { true } else { false } }
        host.prepare { $0.failing = count }
        _ = try await lifecycle(host).start(routed)
        #expect(host.linkExists("vb0"))
    }

    /// The number of the first step of a kind in a start.
    private func count(_ network: Network, _ isWanted: @escaping (HostAction) -> Bool) async throws -> Int {
        let host = FakeHost()
        _ = try await lifecycle(host).start(network)
        return try #require(host.actions.firstIndex(where: isWanted))
    }

    @Test("A stop takes everything away, even when steps fail")
    func stop() async throws {
        let host = FakeHost()
        let status = try await lifecycle(host).start(try network(Self.body))
        let before = host.actions.count
        host.prepare { $0.failing = before + 1 }
        await lifecycle(host).stop(status.network)
        let left = host.now
        #expect(left.links.isEmpty)
        #expect(left.rules.isEmpty)
        #expect(left.dnsmasq.isEmpty)
    }

    @Test("Networks on devices of the host touch nothing")
    func external() async throws {
        let host = FakeHost()
        _ = try await lifecycle(host).start(try network("<forward mode='private'><interface dev='e1'/></forward>"))
        #expect(host.actions.count == 1)
    }

    @Test("A pool is filled from the virtual functions of its device")
    func pool() async throws {
        let host = FakeHost()
        let definition = try network("<forward mode='hostdev' managed='yes'><pf dev='e1'/></forward>")
        let error = await #expect(throws: VirtError.self) { try await lifecycle(host).start(definition) }
        #expect(error?.message == "internal error: No usable Vf's present on SRIOV PF e1")
        let address = try #require(Network.PCIAddress(sysfs: "0000:03:00.1"))
        host.prepare { $0.functions = [VirtualFunction(address: address, interface: nil)] }
        let status = try await lifecycle(host).start(definition)
        #expect(status.network.forward?.devices == [Network.Device(.pci(address))])
    }

    @Test("Hook scripts hear of a start with the network's definition, and their failure stops it")
    func hooks() async throws {
        let host = FakeHost()
        host.prepare { $0.hasHook = true }
        let status = try await lifecycle(host).start(try network("<bridge name='vb0'/>"))
        #expect(status.isTaintedByHook)
        let calls = host.actions.compactMap { action -> HookCall? in
            if case .runHook(let call) = action { call } else { nil }
        }
        #expect(calls.map { $0.operation } == ["start", "started"])
        #expect(calls[0].input.hasPrefix("<hookData>\n  <network>\n    <name>n</name>\n"))
        #expect(calls[0].input.hasSuffix("  </network>\n</hookData>"))
    }

    @Test("A dnsmasq that is gone is started again, one that runs reads its files again")
    func refresh() async throws {
        let host = FakeHost()
        let network = try network(Self.body)
        try await lifecycle(host).refreshDnsmasq(network)
        #expect(host.now.dnsmasq.count == 1)
        try await lifecycle(host).refreshDnsmasq(network)
        #expect(host.actions.last == .reloadDnsmasq(DnsmasqProcess(pid: 100)))
        try await lifecycle(host).restartDnsmasq(network)
        #expect(Array(host.now.dnsmasq.values) == [101])
    }
}
