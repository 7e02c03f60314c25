import VirtCore
import VirtOS
package import VirtRPC
import VirtWire

/// The admin program: what virt-admin calls.
package enum AdminHandlers {
    /// The handlers of all its procedures.
    package static func table(_ service: AdminService) -> HandlerTable {
        var table = HandlerTable(AdminProgram.description)
        installConnection(into: &table)
        installServers(into: &table, service)
        installClients(into: &table, service)
        installLogging(into: &table, service)
        return table
    }

    private static func installConnection(into table: inout HandlerTable) {
        table.on(AdminProgram.ConnectOpen.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminConnectOpen")
            return XDRVoid()
        }
        table.on(AdminProgram.ConnectClose.self) { _, caller in
            caller.client.closeAfterReply()
            return XDRVoid()
        }
        table.on(AdminProgram.ConnectGetLibVersion.self) { _, _ in
            AdminConnectGetLibVersionRet(libVer: LibvirtVersion.number)
        }
    }

    private static func installServers(into table: inout HandlerTable, _ service: AdminService) {
        table.on(AdminProgram.ConnectListServers.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminConnectListServers")
            let names = service.servers.map { AdminNonnullServer(name: $0.server.name) }
            return AdminConnectListServersRet(
                servers: arguments.needResults != 0 ? names : [], ret: UInt32(names.count))
        }
        table.on(AdminProgram.ConnectLookupServer.self) { arguments, _ in
            let found = try service.server(arguments.name)
            return AdminConnectLookupServerRet(srv: AdminNonnullServer(name: found.server.name))
        }
        table.on(AdminProgram.ServerGetThreadpoolParameters.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminServerGetThreadPoolParameters")
            let found = try service.server(arguments.srv.name)
            return AdminServerGetThreadpoolParametersRet(params: WorkerPool.parameters(found))
        }
        table.on(AdminProgram.ServerSetThreadpoolParameters.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminServerSetThreadPoolParameters")
            try service.setWorkers(arguments.srv.name) { workers throws(VirtError) in
                try WorkerPool.change(&workers, arguments.params)
            }
            return XDRVoid()
        }
        table.on(AdminProgram.ServerGetClientLimits.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminServerGetClientLimits")
            return AdminServerGetClientLimitsRet(
                params: ClientLimits.parameters(try service.server(arguments.srv.name)))
        }
        table.on(AdminProgram.ServerSetClientLimits.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminServerSetClientLimits")
            try ClientLimits.change(try service.server(arguments.srv.name).server, arguments.params)
            return XDRVoid()
        }
        table.on(AdminProgram.ServerUpdateTlsFiles.self) { arguments, _ in
            _ = try service.server(arguments.srv.name)
            throw VirtError(.internalError, .rpc, "no tls service found, unable to update tls files")
        }
        table.on(AdminProgram.ConnectSetDaemonTimeout.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminConnectSetDaemonTimeout")
            service.changeTimeout(arguments.timeout)
            return XDRVoid()
        }
    }

    private static func installClients(into table: inout HandlerTable, _ service: AdminService) {
        table.on(AdminProgram.ServerListClients.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminServerListClients")
            let clients = try service.server(arguments.srv.name).server.core.clients
            guard clients.count <= AdminLimit.clientListMax else {
                throw VirtError(
                    .rpc, .rpc, "too many clients: \(clients.count) > \(AdminLimit.clientListMax)")
            }
            let list = arguments.needResults != 0 ? clients.map { describe($0, arguments.srv) } : []
            return AdminServerListClientsRet(clients: list, ret: UInt32(clients.count))
        }
        table.on(AdminProgram.ServerLookupClient.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminServerLookupClient")
            let client = try service.client(arguments.srv.name, arguments.id)
            return AdminServerLookupClientRet(clnt: describe(client, arguments.srv))
        }
        table.onAsync(AdminProgram.ClientGetInfo.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminClientGetInfo")
            let client = try service.client(arguments.clnt.srv.name, arguments.clnt.id)
            // Names of users may come over the network.
            return AdminClientGetInfoRet(
                params: try await BlockingPool.shared.run { ClientInfo.parameters(client) })
        }
        table.on(AdminProgram.ClientClose.self) { arguments, caller in
            try refuseFlags(arguments.flags, "adminClientClose")
            try service.client(arguments.clnt.srv.name, arguments.clnt.id).close()
            return XDRVoid()
        }
    }

    private static func describe(_ client: ClientHandle, _ server: AdminNonnullServer) -> AdminNonnullClient {
        // Transport 0: a UNIX socket.
        AdminNonnullClient(srv: server, id: client.id, timestamp: client.connectTime, transport: 0)
    }

    private static func installLogging(into table: inout HandlerTable, _ service: AdminService) {
        table.on(AdminProgram.ConnectGetLoggingOutputs.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminConnectGetLoggingOutputs")
            let (text, count) = service.logSetup.outputsText
            return AdminConnectGetLoggingOutputsRet(outputs: text, noutputs: UInt32(count))
        }
        table.on(AdminProgram.ConnectGetLoggingFilters.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminConnectGetLoggingFilters")
            let (text, count) = service.logSetup.filtersText
            return AdminConnectGetLoggingFiltersRet(filters: text, nfilters: UInt32(count))
        }
        table.on(AdminProgram.ConnectSetLoggingOutputs.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminConnectSetLoggingOutputs")
            try service.logSetup.setOutputs(arguments.outputs)
            return XDRVoid()
        }
        table.on(AdminProgram.ConnectSetLoggingFilters.self) { arguments, _ in
            try refuseFlags(arguments.flags, "adminConnectSetLoggingFilters")
            try service.logSetup.setFilters(arguments.filters)
            return XDRVoid()
        }
    }

    private static func refuseFlags(_ flags: UInt32, _ function: String) throws(VirtError) {
        guard flags != 0 else { return }
        throw VirtError(
            code: .invalidArg, domain: .admin,
            verbatim: "unsupported flags (0x\(String(flags, radix: 16))) in function \(function)")
    }
}
