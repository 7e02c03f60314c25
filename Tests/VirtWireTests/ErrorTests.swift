import Testing
import VirtCore
import VirtWire

/// Errors in their wire form.
struct ErrorTests {
    @Test func anErrorArrivesAsItWasSent() throws {
        var error = VirtError(.noDomain, .qemu, "no domain with matching name 'absent'")
        error.int1 = 5
        error.str3 = "more"
        let received = try WireError(decoding: WireError(error).encoded()[...]).error
        #expect(received == error)
    }

    @Test func anErrorOfLibvirtReadsTheSameHere() throws {
        let fixture = try #require(Fixture.all.first { $0.name == "remote DOMAIN_LOOKUP_BY_NAME reply error" })
        let error = try WireError(decoding: fixture.bytes[MessageHeader.size...]).error
        #expect(error == VirtError(.noDomain, .qemu, "no domain with matching name 'absent'"))
        let header = try MessageHeader(decoding: fixture.bytes[4...])
        #expect(XDRWriter.frame(header, error: error) == fixture.bytes)
    }

    @Test func withoutAMessageTheTextOfTheCodeIsTaken() throws {
        var wire = WireError(VirtError(.noSupport, .rpc))
        wire.message = nil
        #expect(try WireError(decoding: wire.encoded()[...]).error.message == VirtError(.noSupport, .rpc).message)
    }

    @Test func namesOfAnOldPeerAreUnderstood() throws {
        var wire = WireError(VirtError(.noSupport, .rpc))
        wire.domain = WireError.Domain(name: "d", uuid: .zero, id: 3)
        wire.network = WireError.Network(name: "n", uuid: .zero)
        #expect(try WireError(decoding: wire.encoded()[...]) == wire)
    }

    @Test(arguments: [String(repeating: "ä", count: 3_000_000), "a\0b"])
    func whateverTheTextTheErrorCanBeSent(_ text: String) throws {
        let header = MessageHeader(RemoteProgram.ConnectOpen.descriptor, type: .reply, serial: 1, status: .error)
        let frame = XDRWriter.frame(header, error: VirtError(.internalError, .rpc, text))
        #expect(frame.count <= MessageLimit.message)
        let error = try WireError(decoding: frame[MessageHeader.size...]).error
        #expect(error.code == .internalError)
        #expect(error.message.hasPrefix("internal error: "))
    }
}
