import Testing
import VirtCore

@Suite struct UUIDTests {
    static let text = "043191c9-6d81-4e91-b185-53d3620e2cfd"

    @Test(arguments: [
        "043191c9-6d81-4e91-b185-53d3620e2cfd", "043191C96D814E91B18553D3620E2CFD",
        " \t043191c9-6d81-4e91-b185-53d3620e2cfd\n ", "--04-31-91-c9-6d814e91b18553d3620e2cfd",
    ])
    func `all the spellings that libvirt takes are one identifier`(spelling: String) {
        #expect(UUID(parsing: spelling)?.description == Self.text)
    }

    @Test(arguments: [
        "", "0", "043191c9-6d81-4e91-b185-53d3620e2cf", "043191c9-6d81-4e91-b185-53d3620e2cfd-",
        "043191c9-6d81-4e91-b185-53d3620e2cfda", "0-43191c96d814e91b18553d3620e2cfd",
        "g43191c9-6d81-4e91-b185-53d3620e2cfd",
        "043191c9 6d81-4e91-b185-53d3620e2cfd", "043191c9-6d81-4e91-b185-53d3620e2cfd x",
    ])
    func `anything else is refused`(text: String) {
        #expect(UUID(parsing: text) == nil)
    }

    @Test func `bytes go in and come out in order`() {
        let bytes = Array(UInt8(1)...16)
        #expect(UUID(bytes: bytes)?.bytes == bytes)
        #expect(UUID(bytes: bytes.dropLast()) == nil)
        #expect(UUID(bytes: bytes + [17]) == nil)
    }

    @Test func `random ones are version 4 and differ`() {
        let uuid = UUID.random()
        #expect(uuid != UUID.random())
        #expect(uuid.bytes[6] >> 4 == 4)
        #expect(uuid.bytes[8] >> 6 == 0b10)
        #expect(UUID(parsing: uuid.description) == uuid)
    }

    @Test func `a host identifier of equal bytes is not plausible`() {
        #expect(!UUID.zero.isPlausible)
        #expect(UUID(bytes: [UInt8](repeating: 255, count: 16))?.isPlausible == false)
        #expect(UUID(parsing: Self.text)?.isPlausible == true)
    }
}
