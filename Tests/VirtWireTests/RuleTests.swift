import Testing
import VirtCore
import VirtWire

/// What the descriptions say of procedures beyond their types.
struct RuleTests {
    @Test func programsHaveTheirNumbers() {
        #expect(CodecTable.all.map(\.program.procedures.count) == [456, 7, 19, 4, 8, 2, 6])
        #expect(
            CodecTable.all.map(\.program.number)
                == [0x2000_8086, 0x2000_8087, 0x0690_0690, 0x8753_9319, 0x0EA7_BEEF, 0x6B65_6570, 0x7472_6E6B])
        for program in CodecTable.all.map(\.program) {
            #expect(program.procedures.map(\.number) == Array(1...Int32(program.procedures.count)))
            #expect(program.procedure(0) == nil)
            #expect(program.procedure(-1) == nil)
            #expect(program.procedure(Int32(program.procedures.count) + 1) == nil)
            #expect(program.procedures.allSatisfy { $0.program == program.number && $0.version == 1 })
        }
    }

    @Test func whatChangesSomethingIsDeniedToReaders() {
        let denied = RemoteProgram.procedures.filter { $0.readOnly == .denied }.map(\.name)
        #expect(denied.count > 190)
        let some: Set = ["DOMAIN_CREATE", "DOMAIN_DEFINE_XML", "NETWORK_UNDEFINE", "STORAGE_VOL_DELETE"]
        #expect(some.isSubset(of: denied))
        #expect(RemoteProgram.DomainGetInfo.descriptor.readOnly == .allowed)
        #expect(QemuProgram.DomainMonitorCommand.descriptor.readOnly == .denied)
        #expect(RemoteProgram.DomainCreate.descriptor.api == "virDomainCreate")
        #expect(RemoteProgram.procedures.allSatisfy { $0.readOnly == .allowed || !$0.api.isEmpty })
    }

    @Test func secretsInXMLAreDeniedToReaders() {
        typealias Call = RemoteProgram.DomainGetXmlDesc
        let domain = RemoteNonnullDomain(name: "a", uuid: .zero, id: -1)
        for (flags, allowed) in [(0, true), (1, false), (2, true), (8, false), (9, false)] as [(UInt32, Bool)] {
            let arguments = RemoteDomainGetXmlDescArgs(dom: domain, flags: flags)
            #expect(Call.descriptor.readOnly.allows(flags: Call.flags(of: arguments)) == allowed)
        }
    }

    @Test func theGuestAgentsAddressesAreDeniedToReaders() {
        typealias Call = RemoteProgram.DomainInterfaceAddresses
        let domain = RemoteNonnullDomain(name: "a", uuid: .zero, id: 1)
        for (source, allowed) in [(0, true), (1, false), (2, true)] as [(UInt32, Bool)] {
            let word = Call.flags(of: RemoteDomainInterfaceAddressesArgs(dom: domain, source: source, flags: 0))
            #expect(Call.descriptor.readOnly.allows(flags: word) == allowed)
            let needed = Call.descriptor.access.filter { $0.applies(flags: word) }.map(\.permission)
            #expect(needed == (allowed ? ["read"] : ["read", "write"]))
        }
    }

    @Test func savingIsNeededWhereTheConfigurationChanges() {
        typealias Call = RemoteProgram.DomainAttachDeviceFlags
        let domain = RemoteNonnullDomain(name: "a", uuid: .zero, id: 1)
        for (flags, needed) in [
            (0, ["write", "save"]), (1, ["write"]), (2, ["write", "save"]), (3, ["write", "save"]),
        ]
            as [(UInt32, [String])]
        {
            let word = Call.flags(of: RemoteDomainAttachDeviceFlagsArgs(dom: domain, xml: "", flags: flags))
            #expect(Call.descriptor.access.filter { $0.applies(flags: word) }.map(\.permission) == needed)
        }
    }

    @Test func streamsHaveTheirDirection() {
        let streams = RemoteProgram.procedures.filter { $0.stream != nil }
        #expect(streams.filter { $0.stream == .read }.map(\.number) == [201, 209, 211, 296])
        #expect(streams.filter { $0.stream == .write }.map(\.number) == [148, 208, 215])
        #expect(streams.filter(\.sparse).map(\.number) == [208, 209])
    }

    @Test func listsAreFiltered() {
        let filter = RemoteProgram.ConnectListAllDomains.descriptor.accessFilter
        #expect(filter == [AccessRule(.domain, "getattr")])
        #expect(RemoteProgram.ConnectListAllDomains.descriptor.priority == .high)
        #expect(RemoteProgram.DomainEventCallbackLifecycle.descriptor.isEvent)
    }
}
