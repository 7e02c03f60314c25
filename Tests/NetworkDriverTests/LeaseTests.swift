import NetworkLeases
import Testing

@Suite("Leases")
struct LeaseTests {
    private let text = """
        [
          {
            "ip-address": "10.0.0.9",
            "mac-address": "52:54:00:12:34:56",
            "hostname": "a\\"b",
            "client-id": "01:52",
            "expiry-time": 1795469528
          },
          {
            "iaid": "5",
            "ip-address": "fd00::9",
            "mac-address": "52:54:00:12:34:57",
            "expiry-time": 0
          }
        ]

        """

    @Test("A lease file prints as it was read")
    func roundTrip() throws {
        let leases = try LeaseFile.parse(Array(text.utf8))
        #expect(leases.count == 2)
        #expect(leases[0].hostname == "a\"b")
        #expect(leases[1].isIPv6)
        #expect(LeaseFile.text(leases) == text)
        #expect(try LeaseFile.parse([]).isEmpty)
        #expect(try LeaseFile.parse(Array("\n".utf8)).isEmpty)
    }

    @Test("What is no lease file is an error", arguments: ["{", "{}", "[1]", "[{\"ip-address\": 5}]"])
    func malformed(text: String) {
        #expect(throws: (any Error).self) { try LeaseFile.parse(Array(text.utf8)) }
    }

    private let environment = ["DNSMASQ_INTERFACE": "vb0", "DNSMASQ_LEASE_EXPIRES": "1000 "]

    @Test("A new lease replaces the one of its address")
    func add() throws {
        let script = try LeaseScript(
            arguments: ["add", "52:54:00:00:00:01", "10.0.0.9", "host"],
            environment: environment.merging(["DNSMASQ_CLIENT_ID": "ff:01"]) { $1 })
        let outcome = script.run(on: try LeaseFile.parse(Array(text.utf8)))
        #expect(script.interface == "vb0")
        #expect(outcome.leases?.map { $0.ipAddress } == ["fd00::9", "10.0.0.9"])
        #expect(
            outcome.leases?.last
                == DHCPLease(
                    ipAddress: "10.0.0.9", macAddress: "52:54:00:00:00:01", hostname: "host", clientID: "ff:01",
                    expiryTime: 1000))
    }

    @Test("An IPv6 lease has the guest's MAC from the environment, and none without it")
    func add6() throws {
        var variables = environment.merging(["DNSMASQ_IAID": "7", "DNSMASQ_SERVER_DUID": "00:01"]) { $1 }
        let arguments = ["add", "00:04:aa", "fd00::5"]
        let unknown = try LeaseScript(arguments: arguments, environment: variables).run(on: [])
        #expect(unknown.leases == [])
        variables["DNSMASQ_MAC"] = "52:54:00:00:00:02"
        let known = try LeaseScript(arguments: arguments, environment: variables).run(on: [])
        #expect(known.leases?.first?.iaid == "7")
        #expect(known.leases?.first?.clientID == "00:04:aa")
        #expect(known.leases?.first?.serverDUID == "00:01")
    }

    @Test("A deleted lease is gone")
    func delete() throws {
        let script = try LeaseScript(
            arguments: ["del", "52:54:00:12:34:56", "10.0.0.9"], environment: ["VIR_BRIDGE_NAME": "vb0"])
        #expect(script.run(on: try LeaseFile.parse(Array(text.utf8))).leases?.map { $0.ipAddress } == ["fd00::9"])
    }

    @Test("init prints the database in dnsmasq's own format and leaves the file alone")
    func initialise() throws {
        let script = try LeaseScript(
            arguments: ["init"], environment: ["VIR_BRIDGE_NAME": "vb0", "DNSMASQ_SERVER_DUID": "00:01"])
        let outcome = script.run(on: try LeaseFile.parse(Array(text.utf8)))
        #expect(outcome.leases == nil)
        #expect(
            outcome.output
                == "1795469528 52:54:00:12:34:56 10.0.0.9 a\"b 01:52\nduid 00:01\n0 5 fd00::9 * *\n")
    }

    @Test("Arguments that make no sense are refused")
    func misuse() {
        for (arguments, variables) in [
            (["add"] + ["x"], environment), (["what", "m", "i"], environment), (["init"], [:]),
            (["init"], ["VIR_BRIDGE_NAME": "../x"]),
            (["add", "m", "1.2.3.4"], ["DNSMASQ_INTERFACE": "b", "DNSMASQ_LEASE_EXPIRES": "soon"]),
        ] {
            #expect(throws: LeaseScript.Misuse.self) {
                try LeaseScript(arguments: arguments, environment: variables)
            }
        }
    }

    @Test("The MAC map lists each guest's addresses, in libvirt's layout")
    func macs() throws {
        var map = MACMap()
        map.add("52:54:00:00:00:02", domain: "b")
        map.add("52:54:00:00:00:01", domain: "a")
        map.add("52:54:00:00:00:03", domain: "a")
        map.add("52:54:00:00:00:03", domain: "a")
        #expect(try MACMap(Array(map.text.utf8)) == map)
        map.remove("52:54:00:00:00:01", domain: "a")
        map.remove("52:54:00:00:00:02", domain: "b")
        #expect(
            map.text == """
                [
                  {
                    "domain": "a",
                    "macs": [
                      "52:54:00:00:00:03"
                    ]
                  }
                ]

                """)
        map.remove("52:54:00:00:00:03", domain: "a")
        #expect(map.text == "[\n\n]\n")
    }
}
