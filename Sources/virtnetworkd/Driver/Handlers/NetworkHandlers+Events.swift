import VirtCore
import VirtRPC
import VirtWire

extension NetworkHandlers {
    func installEvents(into table: inout HandlerTable) {
        let events = service.events
        table.on(RemoteProgram.ConnectNetworkEventRegisterAny.self) { arguments, caller in
            // 0: lifecycle, the only kind that there is.
            guard arguments.eventID == 0 else {
                throw VirtError(
                    .internalError, .rpc, "unsupported network event ID \(arguments.eventID)")
            }
            let only = arguments.net?.uuid
            let client = caller.client
            let id = events.subscribe(client) { event, callbackID in
                guard only == nil || only == event.uuid else { return }
                client.send(
                    RemoteProgram.NetworkEventLifecycle.self,
                    RemoteNetworkEventLifecycleMsg(
                        callbackID: callbackID,
                        net: RemoteNonnullNetwork(name: event.name, uuid: event.uuid),
                        event: event.kind.rawValue, detail: 0))
            }
            return RemoteConnectNetworkEventRegisterAnyRet(callbackID: id)
        }
        table.on(RemoteProgram.ConnectNetworkEventDeregisterAny.self) { arguments, caller in
            try events.unsubscribe(caller.client, callbackID: arguments.callbackID)
            return XDRVoid()
        }
    }
}
