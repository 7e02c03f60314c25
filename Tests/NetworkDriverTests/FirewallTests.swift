import Testing
import VirtModel

@testable import NetworkDriver

@Suite("Firewall rules of networks")
struct FirewallTests {
    private let address =
        "<ip address='10.7.0.1' prefix='24'><dhcp><range start='10.7.0.2' end='10.7.0.9'/></dhcp></ip>"

    private func lines(_ body: String) throws -> [String] {
        try FirewallRules.rules(for: try network("<bridge name='vb0'/>" + body)).map {
            "\($0.layer) \($0.table) " + $0.restoreLine(.insert)
        }
    }

    @Test("A translated network has its rules in libvirt's order")
    func nat() throws {
        let net = "10.7.0.0/24"
        #expect(
            try lines("<forward mode='nat'/>" + address) == [
                "ipv4 filter --insert LIBVIRT_INP --in-interface vb0 --protocol tcp --destination-port 67 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_INP --in-interface vb0 --protocol udp --destination-port 67 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_OUT --out-interface vb0 --protocol tcp --destination-port 68 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_OUT --out-interface vb0 --protocol udp --destination-port 68 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_INP --in-interface vb0 --protocol tcp --destination-port 53 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_INP --in-interface vb0 --protocol udp --destination-port 53 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_OUT --out-interface vb0 --protocol tcp --destination-port 53 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_OUT --out-interface vb0 --protocol udp --destination-port 53 "
                    + "--jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_FWO --in-interface vb0 --jump REJECT",
                "ipv4 filter --insert LIBVIRT_FWI --out-interface vb0 --jump REJECT",
                "ipv4 filter --insert LIBVIRT_FWX --in-interface vb0 --out-interface vb0 --jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_FWO --source \(net) --in-interface vb0 --jump ACCEPT",
                "ipv4 filter --insert LIBVIRT_FWI --destination \(net) --out-interface vb0 "
                    + "--match conntrack --ctstate ESTABLISHED,RELATED --jump ACCEPT",
                "ipv4 nat --insert LIBVIRT_PRT --source \(net) ! --destination \(net) --jump MASQUERADE",
                "ipv4 nat --insert LIBVIRT_PRT --source \(net) -p udp ! --destination \(net) "
                    + "--jump MASQUERADE --to-ports 1024-65535",
                "ipv4 nat --insert LIBVIRT_PRT --source \(net) -p tcp ! --destination \(net) "
                    + "--jump MASQUERADE --to-ports 1024-65535",
                "ipv4 nat --insert LIBVIRT_PRT --source \(net) --destination 255.255.255.255/32 --jump RETURN",
                "ipv4 nat --insert LIBVIRT_PRT --source \(net) --destination 224.0.0.0/24 --jump RETURN",
                "ipv4 mangle --insert LIBVIRT_PRT --out-interface vb0 --protocol udp --destination-port 68 "
                    + "--jump CHECKSUM --checksum-fill",
            ])
    }

    @Test("Given addresses and ports replace the masquerade")
    func snat() throws {
        let forward = """
            <forward mode='nat' dev='up0'><nat><address start='1.2.3.4' end='1.2.3.9'/><port start='60000' end='61000'/>
            </nat></forward>
            """
        let nat = try lines(forward + address).filter { $0.hasPrefix("ipv4 nat") }
        #expect(nat[0].hasSuffix("--out-interface up0 --jump SNAT --to-source 1.2.3.4-1.2.3.9"))
        #expect(nat[1].hasSuffix("--jump SNAT --to-source 1.2.3.4-1.2.3.9:60000-61000"))
    }

    @Test("A routed network passes packets in both directions and translates none")
    func route() throws {
        let all = try lines("<forward mode='route' dev='up0'/><ip family='ipv6' address='fd00::1' prefix='64'/>")
        #expect(
            all.contains(
                "ipv6 filter --insert LIBVIRT_FWI --destination fd00::/64 --in-interface up0 --out-interface vb0 "
                    + "--jump ACCEPT"))
        #expect(!all.contains { $0.contains(" nat ") || $0.contains(" mangle ") })
        #expect(all.contains { $0.contains("--destination-port 547") })
    }

    @Test("IPv6 without addresses has fences only, and only when it is asked for")
    func fences() throws {
        var network = try network("<bridge name='vb0'/>")
        #expect(try FirewallRules.rules(for: network).allSatisfy { $0.layer == .ipv4 })
        network.allowsIPv6WithoutGateway = true
        #expect(
            try FirewallRules.rules(for: network).filter { $0.layer == .ipv6 }.map { $0.chain } == [
                "LIBVIRT_FWO", "LIBVIRT_FWI", "LIBVIRT_FWX",
            ])
    }

    @Test("Open networks, and those on devices of the host, have no rules")
    func none() throws {
        #expect(try lines("<forward mode='open'/>" + address).isEmpty)
        #expect(try FirewallRules.rules(for: try network("<forward mode='bridge'/><bridge name='b'/>")).isEmpty)
    }

    @Test("Words that iptables-restore would read differently are kept out of its input")
    func restorable() {
        #expect(FirewallRule(.ipv4, "C", ["--in-interface", "vb0"]).isRestorable)
        for word in ["a b", "a\nCOMMIT", "\"", "a'b", "\\", "#", ""] {
            #expect(!FirewallRule(.ipv4, "C", ["--in-interface", word]).isRestorable)
        }
    }

    @Test("Only chains and jumps that are missing are made")
    func chains() throws {
        let saved = """
            *filter
            :INPUT ACCEPT [0:0]
            :LIBVIRT_INP - [0:0]
            :LIBVIRT_OUT - [0:0]
            -A INPUT -j LIBVIRT_INP
            COMMIT
            *mangle
            :LIBVIRT_PRT - [0:0]
            -A POSTROUTING -j LIBVIRT_PRT
            COMMIT
            """
        let input = try #require(FirewallChains.missing(saved: saved))
        #expect(
            input.split(separator: "\n") == [
                "*filter", "--insert OUTPUT --jump LIBVIRT_OUT",
                "--new-chain LIBVIRT_FWO", "--insert FORWARD --jump LIBVIRT_FWO",
                "--new-chain LIBVIRT_FWI", "--insert FORWARD --jump LIBVIRT_FWI",
                "--new-chain LIBVIRT_FWX", "--insert FORWARD --jump LIBVIRT_FWX", "COMMIT",
                "*nat", "--new-chain LIBVIRT_PRT", "--insert POSTROUTING --jump LIBVIRT_PRT", "COMMIT",
            ])
        let all = FirewallRule.Table.allCases.map { table in
            let own = FirewallChains.all.filter { $0.table == table }
            return "*\(table)\n"
                + own.map { ":\($0.name) - [0:0]\n-A \($0.parent) -j \($0.name)\n" }.joined()
        }
        #expect(FirewallChains.missing(saved: all.joined()) == nil)
    }

    @Test("nftables get the same rules in their own words, and lose them by their comments")
    func nftables() throws {
        let rules = try FirewallRules.rules(for: try network("<forward mode='nat'/><bridge name='vb0'/>" + address))
        let texts = rules.compactMap { NftablesRules.insertion($0, comment: "c") }
        #expect(texts.count == 10)
        #expect(
            texts[0] == "insert rule ip libvirt_network guest_output iifname \"vb0\" counter reject comment \"c\"\n")
        #expect(
            texts[4] == "insert rule ip libvirt_network guest_input ip daddr 10.7.0.0/24 oifname \"vb0\" "
                + "ct state established,related counter accept comment \"c\"\n")
        #expect(
            texts[6] == "insert rule ip libvirt_network guest_nat meta l4proto udp ip saddr 10.7.0.0/24 "
                + "ip daddr != 10.7.0.0/24 counter masquerade to :1024-65535 comment \"c\"\n")
        let listing = """
            table ip libvirt_network { # handle 4
            \tchain guest_output { # handle 2
            \t\tiifname "vb0" counter packets 0 bytes 0 reject comment "mine" # handle 12
            \t\tiifname "vb1" counter packets 0 bytes 0 reject comment "other" # handle 13
            \t}
            }
            """
        #expect(
            NftablesRules.deletions(.ipv4, listing: listing, comments: ["mine"])
                == "delete rule ip libvirt_network guest_output handle 12\n")
    }
}

@Suite("Traffic control of networks")
struct TrafficControlTests {
    private func rate(_ average: UInt64, peak: UInt64 = 0, floor: UInt64 = 0, burst: UInt64 = 0) -> Bandwidth.Rate {
        var rate = Bandwidth.Rate()
        (rate.average, rate.peak, rate.floor, rate.burst) = (average, peak, floor, burst)
        return rate
    }

    @Test("A bridge gets two classes for what guests receive and a policer for what they send")
    func bridge() {
        var bandwidth = Bandwidth()
        bandwidth.inbound = rate(1000, peak: 5000, burst: 1024)
        bandwidth.outbound = rate(128, burst: 256)
        let commands = TrafficControl.set("vb0", bandwidth)
        #expect(commands.map { $0.isOptional } == [true, true, false, false, false, false, false, false, false])
        #expect(
            commands.map { $0.arguments.joined(separator: " ") } == [
                "qdisc del dev vb0 root", "qdisc del dev vb0 ingress",
                "qdisc add dev vb0 root handle 1: htb default 2",
                "class add dev vb0 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps quantum 85",
                "class add dev vb0 parent 1:1 classid 1:2 htb rate 1000kbps ceil 5000kbps burst 1024kb quantum 85",
                "qdisc add dev vb0 parent 1:2 handle 2: sfq perturb 10",
                "filter add dev vb0 parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
                "qdisc add dev vb0 ingress",
                "filter add dev vb0 parent ffff: protocol all u32 match u32 0 0 police rate 128kbps burst 256kb "
                    + "mtu 64kb drop flowid :1",
            ])
    }

    @Test("A guest with a guarantee gets a class and a filter on its MAC")
    func guest() throws {
        let mac = try #require(MACAddress(parsing: "52:54:00:0a:0b:0c"))
        let commands = TrafficControl.plug("vb0", rate(1000), rate(0, floor: 200), mac: mac, classID: 11)
        #expect(
            commands.map { $0.arguments.joined(separator: " ") } == [
                "class add dev vb0 parent 1:1 classid 1:b htb rate 200kbps ceil 1000kbps quantum 1",
                "qdisc add dev vb0 parent 1:b handle b: sfq perturb 10",
                "filter add dev vb0 protocol ip prio 2 handle 800::11 u32 match u16 0x0800 0xffff at -2 "
                    + "match u32 0x000a0b0c 0xffffffff at -12 match u16 0x5254 0xffff at -14 flowid 1:b",
            ])
    }
}
