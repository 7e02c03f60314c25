import VirtCore
import VirtRPC
import VirtWire

/// What a client registered for.
struct EventFilter: Sendable {
    /// virDomainEventID.
    let eventID: Int32
    /// One domain, or nil for all.
    let domain: UUID?
    /// How its messages look: one of libvirt's generations of registrations.
    let generation: Generation

    enum Generation: Sendable {
        /// DOMAIN_EVENT_REGISTER and DOMAIN_EVENT_REGISTER_ANY: messages without a callback id.
        case legacy
        /// DOMAIN_EVENT_CALLBACK_REGISTER_ANY.
        case callback
        /// The qemu program's monitor events.
        case monitor(MonitorEventPattern)
    }

    static let monitorEventID: Int32 = -1
    /// How many virDomainEventIDs libvirt 9.0 has.
    static let eventCount: Int32 = 27

    /// Sends the event to the client if it asked for it.
    func deliver(_ event: DomainEvent, to client: ClientHandle, _ callbackID: Int32) {
        if let domain, domain != event.domain.uuid { return }
        switch generation {
        case .legacy: event.sendLegacy(eventID, to: client)
        case .callback: event.sendCallback(eventID, callbackID, to: client)
        case .monitor(let pattern): event.sendMonitor(pattern, callbackID, to: client)
        }
    }
}

extension DomainEvent {
    /// The messages of the first two generations: event ids above 15 came after them.
    fileprivate func sendLegacy(_ wanted: Int32, to client: ClientHandle) {
        let dom = domain
        switch (wanted, kind) {
        case (0, .lifecycle(let life)):
            client.send(
                RemoteProgram.DomainEventLifecycle.self, .init(dom: dom, event: life.event, detail: life.detail))
        case (1, .reboot):
            client.send(RemoteProgram.DomainEventReboot.self, .init(dom: dom))
        case (2, .rtcChange(let offset)):
            client.send(RemoteProgram.DomainEventRtcChange.self, .init(dom: dom, offset: offset))
        case (3, .watchdog(let action)):
            client.send(RemoteProgram.DomainEventWatchdog.self, .init(dom: dom, action: action))
        case (4, .ioError(let path, let alias, let action, _)):
            client.send(
                RemoteProgram.DomainEventIoError.self,
                .init(dom: dom, srcPath: path, devAlias: alias, action: action))
        case (5, .graphics(let message)):
            client.send(RemoteProgram.DomainEventGraphics.self, message)
        case (6, .ioError(let path, let alias, let action, let reason)):
            client.send(
                RemoteProgram.DomainEventIoErrorReason.self,
                .init(dom: dom, srcPath: path, devAlias: alias, action: action, reason: reason))
        case (7, .controlError):
            client.send(RemoteProgram.DomainEventControlError.self, .init(dom: dom))
        default:
            sendLaterLegacy(wanted, to: client)
        }
    }

    private func sendLaterLegacy(_ wanted: Int32, to client: ClientHandle) {
        let dom = domain
        switch (wanted, kind) {
        case (8, .blockJob(.some(let path), _, let type, let status)):
            client.send(
                RemoteProgram.DomainEventBlockJob.self, .init(dom: dom, path: path, type: type, status: status))
        case (9, .diskChange(let old, let new, let alias, let reason)):
            client.send(
                RemoteProgram.DomainEventDiskChange.self,
                .init(dom: dom, oldSrcPath: old, newSrcPath: new, devAlias: alias, reason: reason))
        case (10, .trayChange(let alias, let reason)):
            client.send(
                RemoteProgram.DomainEventTrayChange.self, .init(dom: dom, devAlias: alias, reason: reason))
        case (11, .wakeup):
            client.send(RemoteProgram.DomainEventPmwakeup.self, .init(dom: dom))
        case (12, .suspendedToMemory):
            client.send(RemoteProgram.DomainEventPmsuspend.self, .init(dom: dom))
        case (13, .balloonChange(let actual)):
            client.send(RemoteProgram.DomainEventBalloonChange.self, .init(dom: dom, actual: actual))
        case (14, .suspendedToDisk):
            client.send(RemoteProgram.DomainEventPmsuspendDisk.self, .init(dom: dom))
        case (15, .deviceRemoved(let alias)):
            client.send(RemoteProgram.DomainEventDeviceRemoved.self, .init(dom: dom, devAlias: alias))
        default: break
        }
    }

    fileprivate func sendMonitor(_ pattern: MonitorEventPattern, _ callbackID: Int32, to client: ClientHandle) {
        guard case .monitor(let name, let seconds, let microseconds, let details) = kind, pattern.matches(name) else {
            return
        }
        client.send(
            QemuProgram.DomainMonitorEvent.self,
            .init(
                callbackID: callbackID, dom: domain, event: name, seconds: seconds, micros: microseconds,
                details: details))
    }
}
