import Testing
import VirtCore
import VirtModel

@testable import QEMUDriver

@Suite("Facts and numbers")
struct PureTests {
    @Test(
        "Every state is found again by the words of a status file",
        arguments: [
            DomainState.running(.booted), .running(.postcopyFailed), .paused(.startingUp), .paused(.ioError),
            .shutdown(.unknown), .shutoff(.daemon), .crashed(.panicked), .suspended,
        ])
    func states(state: DomainState) {
        #expect(DomainState(name: state.name, reason: state.reasonName) == state)
    }

    @Test("A state or reason that libvirt does not have is refused")
    func unknownStates() {
        #expect(DomainState(name: "asleep", reason: "unknown") == nil)
        #expect(DomainState(name: "running", reason: "user") == nil)
    }

    @Test("A process's line with a name full of parentheses and blanks is read")
    func processLine() throws {
        let line =
            "42 (qemu) (x y) S 1 42 42 0 -1 4194560 100 0 3 0 250 50 0 0 20 0 7 0 123456 2000000 58000 "
            + "18446744073709551615 1 1 0 0 0 0 268444224 4096 16963 0 0 0 17 1 0 0 0 0 0"
        let statistics = try #require(ProcessStatistics.parse(line, ticks: 100, page: 4096))
        #expect(statistics.user == 2_500_000_000)
        #expect(statistics.system == 500_000_000)
        #expect(statistics.resident == 232_000)
        #expect(statistics.startTime == 123_456)
        #expect(statistics.processor == 1)
    }

    @Test("Cut and empty process lines give nothing", arguments: ["", "42", "42 (x", "42 (x) S 1 2 3", ")"])
    func shortProcessLines(line: String) {
        #expect(ProcessStatistics.parse(line, ticks: 100, page: 4096) == nil)
    }

    @Test("An interface's counters are found by its whole name, and guests see them the other way round")
    func interfaceCounters() throws {
        let text = """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
              vnet1: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0
             vnet10: 10 20 30 40 0 0 0 0 50 60 70 80 0 0 0 0
            """
        let counts = try #require(InterfaceStatistics.parse(text, "vnet1"))
        #expect(counts.receivedBytes == 1)
        #expect(counts.swapped.receivedBytes == 5)
        #expect(counts.swapped.sendDrops == 4)
        #expect(InterfaceStatistics.parse(text, "vnet") == nil)
    }

    @Test(
        "Owners are read as C libvirt writes them",
        arguments: [
            ("+0:+0", 0, 0), ("+64055:+107", 64055, 107),
        ])
    func owners(text: String, uid: UInt32, gid: UInt32) throws {
        let owner = try #require(FileOwner.parse(text))
        #expect(owner.uid == uid)
        #expect(owner.gid == gid)
    }

    @Test(
        "Owners that make no sense are refused", arguments: ["", "0:0", "+1", "+1:+2:+3", "+-1:+0", "+99999999999:+0"])
    func badOwners(text: String) {
        #expect(FileOwner.parse(text) == nil)
    }

    @Test("Processors are written as ranges, and maps have as many bytes as the client asked for")
    func processorSets() {
        let set = ProcessorSet([0, 1, 2, 5, 9, 10], count: 12)
        #expect(set.description == "0-2,5,9-10")
        #expect(set.padded(to: 4) == [0b0010_0111, 0b0000_0110, 0, 0])
        #expect(set.padded(to: 1) == [0b0010_0111])
        #expect(ProcessorSet([-1, 12, 3], count: 12).processors == [3])
        #expect(!ProcessorSet(bytes: []).contains(0))
    }

    @Test("A console's log line starts with a time in libvirt's form")
    func timestamps() {
        let parts = GuestLog.timestamp().split(separator: " ")
        #expect(parts.count == 2)
        #expect(parts.last?.hasSuffix("+0000") == true)
        #expect(parts.first?.split(separator: "-").count == 3)
    }

    @Test("A guest's directories have its number and the safe part of its name")
    func shortNames() {
        #expect(DriverPaths.shortName("b1", id: 7) == "domain-7-b1")
        #expect(
            DriverPaths.shortName(String(repeating: "x", count: 40), id: 1) == "domain-1-"
                + String(repeating: "x", count: 20))
    }

    @Test("Flags that a call does not know are named with the call")
    func flags() {
        #expect(throws: Never.self) { try UInt32(3).checkFlags(3, "qemuDomainGetState") }
        let error = #expect(throws: VirtError.self) { try UInt32(0x13).checkFlags(3, "qemuDomainGetState") }
        #expect(error?.message == "unsupported flags (0x10) in function qemuDomainGetState")
        #expect(error?.code == .invalidArg)
    }

    @Test("A call without flags is about the guest that runs, else about the definition")
    func impacts() throws {
        #expect(try ModificationImpact(0, isActive: true, isPersistent: true).live)
        #expect(try ModificationImpact(0, isActive: false, isPersistent: true).config)
        #expect(throws: VirtError.self) { try ModificationImpact(1, isActive: false, isPersistent: true) }
        #expect(throws: VirtError.self) { try ModificationImpact(2, isActive: true, isPersistent: false) }
    }

    @Test("Numbers are given out once, and again after they came back")
    func numberPools() throws {
        let pool = NumberPool(5900...5902, name: "VNC")
        #expect(try pool.acquire { _ in true } == 5900)
        pool.reserve(5901)
        #expect(try pool.acquire { _ in true } == 5902)
        #expect(throws: VirtError.self) { try pool.acquire { _ in true } }
        pool.release(5900)
        #expect(throws: VirtError.self) { try pool.acquire { $0 != 5900 } }
        #expect(try pool.acquire { _ in true } == 5900)
    }

    @Test("A failed start is taken back from its last step to its first")
    func undoOrder() async {
        let order = Record()
        var undo = UndoStack()
        for name in ["directories", "log", "process"] {
            undo.add(name) { order.add(name) }
        }
        #expect(undo.names == ["directories", "log", "process"])
        await undo.unwind()
        #expect(order.list == ["process", "log", "directories"])
        await undo.unwind()
        #expect(order.list.count == 3)
    }

    @Test("Monitor events are chosen by name, by case and by expression")
    func monitorPatterns() throws {
        #expect(MonitorEventPattern(text: nil, flags: 0).matches("STOP"))
        #expect(MonitorEventPattern(text: "STOP", flags: 0).matches("STOP"))
        #expect(!MonitorEventPattern(text: "stop", flags: 0).matches("STOP"))
        #expect(MonitorEventPattern(text: "stop", flags: 2).matches("STOP"))
        #expect(MonitorEventPattern(text: "^BLOCK_.*", flags: 1).matches("BLOCK_IO_ERROR"))
        #expect(throws: VirtError.self) { try MonitorEventPattern(text: "(", flags: 1).check() }
    }

    @Test("Directories of guests are told from others by their number")
    func guestDirectories() {
        for name in ["domain-1-a", "domain-77-a-b"] { #expect(QEMUDriver.isGuestName(name, "domain-")) }
        for name in ["domain-0-a", "domain--1-a", "domain-1-", "domain-x-a", "domain-1", "other-1-a", "99999999999-a"] {
            #expect(!QEMUDriver.isGuestName(name, "domain-"))
        }
    }

    @Test(
        "Guests whose memory is in files are known",
        arguments: [
            ("", false), ("<memoryBacking><source type='file'/></memoryBacking>", true),
            ("<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>", false),
            ("<memoryBacking><access mode='shared'/></memoryBacking>", true),
        ])
    func memoryFiles(element: String, uses: Bool) throws {
        let text = "<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os>\(element)</domain>"
        #expect(try Domain.parse(text).usesMemoryFiles == uses)
    }
}
