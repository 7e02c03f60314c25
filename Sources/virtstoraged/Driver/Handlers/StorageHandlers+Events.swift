import VirtCore
import VirtRPC
import VirtWire

extension StorageHandlers {
    func installEvents(into table: inout HandlerTable) {
        let events = driver.events
        table.on(RemoteProgram.ConnectStoragePoolEventRegisterAny.self) { arguments, caller in
            let client = caller.client
            let only = arguments.pool?.uuid
            let id: Int32
            switch arguments.eventID {
            case 0:
                id = events.subscribe(client) { event, callbackID in
                    guard case .lifecycle(let kind) = event.kind, only == nil || only == event.uuid else { return }
                    let message = RemoteStoragePoolEventLifecycleMsg(
                        callbackID: callbackID, pool: Self.wire(event), event: kind.rawValue, detail: 0)
                    client.send(RemoteProgram.StoragePoolEventLifecycle.self, message)
                }
            case 1:
                id = events.subscribe(client) { event, callbackID in
                    guard event.kind == .refresh, only == nil || only == event.uuid else { return }
                    let message = RemoteStoragePoolEventRefreshMsg(callbackID: callbackID, pool: Self.wire(event))
                    client.send(RemoteProgram.StoragePoolEventRefresh.self, message)
                }
            default:
                throw VirtError(.internalError, .rpc, "unsupported storage pool event ID \(arguments.eventID)")
            }
            return RemoteConnectStoragePoolEventRegisterAnyRet(callbackID: id)
        }
        table.on(RemoteProgram.ConnectStoragePoolEventDeregisterAny.self) { arguments, caller in
            do {
                try events.unsubscribe(caller.client, callbackID: arguments.callbackID)
            } catch {
                throw VirtError(
                    .invalidArg, .rpc, "storage pool event callback \(arguments.callbackID) not registered")
            }
            return XDRVoid()
        }
    }

    private static func wire(_ event: StorageEvent) -> RemoteNonnullStoragePool {
        RemoteNonnullStoragePool(name: event.name, uuid: event.uuid)
    }
}
