import VirtCore
import VirtRPC
import VirtWire

/// Registrations for events, in all generations of the protocol.
enum EventHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installLegacy(into: &table, driver)
        table.on(RemoteProgram.ConnectDomainEventCallbackRegisterAny.self) { arguments, caller in
            try checkEvent(arguments.eventID)
            let domain = try arguments.dom.map { try driver.registry.snapshot($0).uuid }
            let filter = EventFilter(eventID: arguments.eventID, domain: domain, generation: .callback)
            return .init(callbackID: subscribe(driver.events, caller.client, filter))
        }
        table.on(RemoteProgram.ConnectDomainEventCallbackDeregisterAny.self) { arguments, caller in
            try driver.events.unsubscribe(caller.client, callbackID: arguments.callbackID)
            return .init()
        }
    }

    private static func installLegacy(into table: inout HandlerTable, _ driver: QEMUDriver) {
        table.on(RemoteProgram.ConnectDomainEventRegister.self) { _, caller in
            try register(driver, caller.client, 0)
            return .init(cbRegistered: 1)
        }
        table.on(RemoteProgram.ConnectDomainEventDeregister.self) { _, caller in
            try deregister(driver, caller.client, 0)
            return .init(cbRegistered: 0)
        }
        table.on(RemoteProgram.ConnectDomainEventRegisterAny.self) { arguments, caller in
            try checkEvent(arguments.eventID)
            try register(driver, caller.client, arguments.eventID)
            return .init()
        }
        table.on(RemoteProgram.ConnectDomainEventDeregisterAny.self) { arguments, caller in
            try checkEvent(arguments.eventID)
            try deregister(driver, caller.client, arguments.eventID)
            return .init()
        }
    }

    /// The qemu program's part.
    static func installMonitor(into table: inout HandlerTable, driver: QEMUDriver) {
        table.on(QemuProgram.ConnectDomainMonitorEventRegister.self) { arguments, caller in
            try arguments.flags.checkFlags(3, "qemuConnectDomainQemuMonitorEventRegister")
            let pattern = MonitorEventPattern(text: arguments.event, flags: arguments.flags)
            try pattern.check()
            let domain = try arguments.dom.map { try driver.registry.snapshot($0).uuid }
            let filter = EventFilter(
                eventID: EventFilter.monitorEventID, domain: domain, generation: .monitor(pattern))
            return .init(callbackID: subscribe(driver.monitorEvents, caller.client, filter))
        }
        table.on(QemuProgram.ConnectDomainMonitorEventDeregister.self) { arguments, caller in
            try driver.monitorEvents.unsubscribe(caller.client, callbackID: arguments.callbackID)
            return .init()
        }
    }

    private static func checkEvent(_ id: Int32) throws(VirtError) {
        guard id >= 0, id < EventFilter.eventCount else {
            throw VirtError(.internalError, .rpc, "unsupported event ID \(id)")
        }
    }

    private static func subscribe(
        _ hub: EventHub<DomainEvent>, _ client: ClientHandle, _ filter: EventFilter
    ) -> Int32 {
        hub.subscribe(client) { event, callbackID in filter.deliver(event, to: client, callbackID) }
    }

    private static func register(_ driver: QEMUDriver, _ client: ClientHandle, _ id: Int32) throws(VirtError) {
        let filter = EventFilter(eventID: id, domain: nil, generation: .legacy)
        try driver.legacyEvents.add(client, id) { subscribe(driver.events, client, filter) }
    }

    private static func deregister(_ driver: QEMUDriver, _ client: ClientHandle, _ id: Int32) throws(VirtError) {
        let callback = try driver.legacyEvents.remove(client, id)
        try driver.events.unsubscribe(client, callbackID: callback)
    }
}
