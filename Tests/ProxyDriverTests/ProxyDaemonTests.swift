import Testing
import VirtRPC
import VirtWire

@testable import ProxyDriver

@Suite struct ProxyDaemonTests {
    @Test func `the proxy answers for the connection and passes everything else on`() throws {
        let tables = ProxyDaemon().handlerTables()
        #expect(tables.map(\.program.name) == ["remote", "qemu"])
        let own = RemoteProgram.description.procedures.filter { tables[0].isHandled($0.number) }.map(\.name)
        #expect(
            Set(own) == [
                "CONNECT_OPEN", "CONNECT_CLOSE", "CONNECT_SUPPORTS_FEATURE", "AUTH_LIST", "AUTH_POLKIT",
                "CONNECT_SET_IDENTITY", "CONNECT_REGISTER_CLOSE_CALLBACK", "CONNECT_UNREGISTER_CLOSE_CALLBACK",
            ])
        #expect(QemuProgram.description.procedures.allSatisfy { !tables[1].isHandled($0.number) })
    }
}
