import Glibc
import Testing
import VirtCore
import VirtOS

@testable import QEMUDriver

@Suite struct DescriptorGroupsTests {
    private func descriptor() throws -> DescriptorBox {
        try DescriptorBox(OwnedDescriptor(opening: "/dev/null", O_RDONLY))
    }

    @Test func `a group is the last that was given under its name, until its client leaves`() throws {
        var groups = DescriptorGroups()
        groups.associate("a", [try descriptor()], client: 1)
        groups.associate("b", [try descriptor()], client: 1)
        let last = try descriptor()
        groups.associate("a", [last, try descriptor()], client: 2)
        #expect(try groups.required("a").first === last)
        groups.removeAll(of: 1)
        #expect(!groups.hasAny(of: 1))
        #expect(try groups.required("a").count == 2)
        let error = #expect(throws: VirtError.self) { _ = try groups.required("b") }
        #expect(error?.code == .invalidArg)
        #expect(error?.message == "invalid argument: file descriptor group 'b' was not associated with the domain")
    }
}
