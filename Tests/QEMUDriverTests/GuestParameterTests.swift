import QEMUMonitor
import Testing
import VirtCore
import VirtModel
import VirtWire

@testable import QEMUDriver

@Suite("Limits, keys and places of processors")
struct GuestParameterTests {
    @Test("A disk's limits come in libvirt's order, and there are twenty of them")
    func throttleOrder() {
        let names = IOTuneParameters.list(nil).map(\.field)
        #expect(names.count == 20)
        #expect(names.prefix(4) == ["total_bytes_sec", "read_bytes_sec", "write_bytes_sec", "total_iops_sec"])
        #expect(names[12] == "size_iops_sec")
        #expect(names[13] == "group_name")
        #expect(names.last == "write_iops_sec_max_length")
    }

    @Test("Setting one limit replaces its group and leaves the others")
    func throttleGroups() throws {
        var old = IOTune()
        old.iops.read = 10
        old.iops.write = 20
        old.bytes.total = 30
        let tune = try IOTuneParameters.apply([TypedParameter("total_iops_sec", .ullong(500))], to: old)
        #expect(tune.iops.total == 500)
        #expect(tune.iops.read == nil)
        #expect(tune.bytes.total == 30)
        let words = IOTuneParameters.words(tune, device: "d")
        #expect(words["iops"] == 500)
        #expect(words["bps"] == 30)
        #expect(words["iops_rd"] == 0)
        #expect(words["bps_max_length"] == nil)
    }

    @Test("Total and single limits of one kind exclude each other")
    func throttleConflict() {
        let both = [TypedParameter("total_bytes_sec", .ullong(1)), TypedParameter("read_bytes_sec", .ullong(1))]
        #expect(
            throws: VirtError(
                .invalidArg, .qemu, "total and read/write of bytes_sec cannot be set at the same time")
        ) { try IOTuneParameters.apply(both, to: nil) }
        #expect(throws: VirtError.self) {
            try IOTuneParameters.apply([TypedParameter("nosuch", .ullong(1))], to: nil)
        }
    }

    @Test("Traffic limits become commands, and an average of zero takes them away")
    func bandwidth() throws {
        let limits = try BandwidthParameters.apply(
            [
                TypedParameter("inbound.average", .uint(1000)), TypedParameter("inbound.peak", .uint(2000)),
                TypedParameter("inbound.burst", .uint(3000)),
            ], to: nil)
        let commands = BandwidthParameters.commands("vnet0", try #require(limits)).map { $0.joined(separator: " ") }
        #expect(commands.first == "qdisc add dev vnet0 root handle 1: htb default 1")
        #expect(
            commands[1].hasPrefix(
                "class add dev vnet0 parent 1: classid 1:1 htb rate 1000kbps ceil 2000kbps burst 3000kb"))
        #expect(commands[2] == "qdisc add dev vnet0 parent 1:1 handle 2: sfq perturb 10")
        #expect(try BandwidthParameters.apply([TypedParameter("inbound.average", .uint(0))], to: limits) == nil)
        #expect(throws: VirtError.self) {
            try BandwidthParameters.apply([TypedParameter("outbound.floor", .uint(1))], to: nil)
        }
    }

    @Test(
        "Keys are found in each set of codes",
        arguments: [
            (KeyCodes.Set.linux, UInt32(30), UInt32(30)), (.linux, 97, 0x9d), (.linux, 103, 0xc8), (.win32, 65, 30),
            (.win32, 0x2E, 0xd3), (.usb, 4, 30), (.usb, 0x4C, 0xd3), (.usb, 0x52, 0xc8), (.usb, 0xE4, 0x9d),
            (.xt, 57, 57),
        ])
    func keys(set: KeyCodes.Set, code: UInt32, number: UInt32) {
        #expect(KeyCodes.number(code, in: set) == number)
    }

    @Test("Every code of a client is answered, whatever it is", arguments: 0..<UInt32(12))
    func anyKey(set: UInt32) {
        guard let set = KeyCodes.Set(rawValue: set) else { return }
        for code in Array(0..<UInt32(1024)) + [.max] {
            if let number = KeyCodes.number(code, in: set) { #expect(number < 0x100) }
        }
    }

    @Test("QEMU lists the last place first; numbers follow sockets, cores and threads")
    func slots() throws {
        let answer = try JSONParser.parse(
            """
            [{"type":"t","vcpus-count":1,"props":{"core-id":0,"thread-id":0,"socket-id":2}},
             {"type":"t","vcpus-count":1,"props":{"core-id":0,"thread-id":0,"socket-id":1},
              "qom-path":"/machine/peripheral/vcpu1"},
             {"type":"t","vcpus-count":1,"props":{"core-id":0,"thread-id":0,"socket-id":0},
              "qom-path":"/machine/unattached/device[0]"}]
            """)
        let slots = VCPUSlots(answer)
        #expect(slots.slot(of: 0)?.path == "/machine/unattached/device[0]")
        #expect(slots.slot(of: 0)?.alias == nil)
        #expect(slots.slot(of: 1)?.alias == "vcpu1")
        #expect(slots.slot(of: 2)?.plug.arguments?["socket-id"] == 2)
        #expect(slots.slot(of: 2)?.plug.arguments?["id"] == "vcpu2")
        #expect(slots.slot(of: 3) == nil)
    }

    @Test("Single processors are switched within the definition, the first one never")
    func processors() throws {
        var domain = Domain()
        domain.vcpu.maximum = 4
        domain.vcpu.current = 2
        domain.setVCPUs(BitSet([3]), isOn: true)
        #expect(domain.onlineVCPUs == 3)
        #expect(domain.vcpuStates.map(\.enabled) == [true, true, false, true])
        #expect(domain.vcpuStates.map(\.hotpluggable) == [false, false, true, true])
        #expect(throws: VirtError(.invalidArg, .qemu, "vCPU '0' can't be modified")) {
            try domain.checkPersistent(BitSet([0, 1]))
        }
        try domain.checkPersistent(BitSet([1, 2, 3]))
        domain.setVCPUs(BitSet([1, 2, 3]), isOn: false)
        #expect(domain.vcpuStates.map(\.enabled) == [true, false, false, false])
        #expect(domain.vcpuStates.map(\.hotpluggable) == [false, true, true, true])
        domain.setVCPUs(BitSet([1, 2, 3]), isOn: true)
        #expect(domain.vcpu.current == nil)
        #expect(domain.vcpuStates.count == 4)
    }

    @Test("What has to be there comes first; a guest's processors have an order")
    func processorRules() throws {
        var domain = Domain()
        domain.vcpu.maximum = 4
        #expect(throws: VirtError.self) { try domain.checkPersistent(BitSet([1])) }
        try domain.checkPersistent(BitSet([3]))
        domain.vcpu.current = 2
        domain.id = 7
        domain.setVCPUs(BitSet([3]), isOn: true)
        #expect(domain.vcpuStates.map(\.order) == [1, 2, nil, 3])
        domain.setVCPUs(BitSet([2]), isOn: true)
        #expect(domain.vcpuStates.map(\.order) == [1, 2, 4, 3])
        domain.setVCPUs(BitSet([3]), isOn: false)
        #expect(domain.vcpuStates.map(\.order) == [1, 2, 4, nil])
    }

    @Test("A burst is not below its limit, and needs one")
    func throttleBursts() throws {
        var tune = IOTune()
        tune.iopsMaximum.read = 5
        #expect(throws: VirtError.self) { try IOTuneParameters.checkBursts(tune) }
        tune.iops.read = 10
        #expect(throws: VirtError.self) { try IOTuneParameters.checkBursts(tune) }
        tune.iopsMaximum.read = 10
        try IOTuneParameters.checkBursts(tune)
    }

    @Test("Complete neighbours are found by their hardware address")
    func neighbours() {
        let text = """
            IP address       HW type     Flags       HW address            Mask     Device
            192.168.1.5      0x1         0x2         52:54:00:AA:00:01     *        virbr0
            192.168.1.6      0x1         0x0         52:54:00:aa:00:02     *        virbr0
            garbage
            """
        #expect(AddressHandlers.neighbours(text) == ["52:54:00:aa:00:01": ["192.168.1.5"]])
    }
}
