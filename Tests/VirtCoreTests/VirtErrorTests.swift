import Testing
import VirtCore

@Suite struct VirtErrorTests {
    @Test(arguments: [
        (
            VirtError.Code.operationInvalid, "domain is not running",
            "Requested operation is not valid: domain is not running"
        ),
        (.noDomain, "no domain with matching name 'x'", "Domain not found: no domain with matching name 'x'"),
        (.noConnect, "foo:///x", "no connection driver available for foo:///x"),
        (.storageVolExist, "'v'", "storage volume 'v' exists already"),
        (.networkPortExist, "p", "network port p exists already"),
        (.xmlDetail, "anything %s", "anything %s"),
        (.rpc, "unknown procedure: 7", "unknown procedure: 7"),
        (.multipleDomains, "x", "multiple matching domains found: x"),
    ])
    func `a message is the class of its code with the detail filled in`(
        code: VirtError.Code, detail: String, message: String
    ) {
        let error = VirtError(code, .qemu, detail)
        #expect(error.message == message)
        #expect(error.str2 == detail)
        #expect(error.level == 2)
        #expect(error.int1 == -1)
    }

    @Test func `without a detail the bare text of the class stands alone`() {
        let error = VirtError(.noName, .domain)
        #expect(error.message == "missing name information")
        #expect(error.str1 == "missing name information")
        #expect(error.str2 == nil)
        #expect(VirtError(.noName, .domain, "") == error)
    }

    @Test func `a system error shows the errno's text and keeps its number`() {
        let error = VirtError.system(2, .storage, "cannot open directory '/pool'")
        #expect(error.code.rawValue == 38)
        #expect(error.message == "cannot open directory '/pool': No such file or directory")
        #expect(error.str1 == "%s")
        #expect(error.int1 == 2)
    }

    @Test func `numbers of codes and domains are libvirt's`() {
        #expect(VirtError.Code.internalError.rawValue == 1)
        #expect(VirtError.Code.multipleDomains.rawValue == 110)
        #expect(VirtError.Domain.ch.rawValue == 72)
        #expect(VirtError.Domain.storage.rawValue == 18)
    }

    @Test func `codes that nobody assigned get the internal error's class`() {
        #expect(VirtError(VirtError.Code(rawValue: 4711), .none, "x").message == "internal error: x")
        #expect(VirtError(VirtError.Code(rawValue: -1), .none).message == "internal error")
    }
}
