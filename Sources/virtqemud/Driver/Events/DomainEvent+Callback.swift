import VirtCore
import VirtRPC
import VirtWire

extension DomainEvent {
    /// The messages of DOMAIN_EVENT_CALLBACK_REGISTER_ANY.
    func sendCallback(_ wanted: Int32, _ id: Int32, to client: ClientHandle) {
        let dom = domain
        switch (wanted, kind) {
        case (0, .lifecycle(let life)):
            client.send(
                RemoteProgram.DomainEventCallbackLifecycle.self,
                .init(callbackID: id, msg: .init(dom: dom, event: life.event, detail: life.detail)))
        case (1, .reboot):
            client.send(
                RemoteProgram.DomainEventCallbackReboot.self, .init(callbackID: id, msg: .init(dom: dom)))
        case (2, .rtcChange(let offset)):
            client.send(
                RemoteProgram.DomainEventCallbackRtcChange.self,
                .init(callbackID: id, msg: .init(dom: dom, offset: offset)))
        case (3, .watchdog(let action)):
            client.send(
                RemoteProgram.DomainEventCallbackWatchdog.self,
                .init(callbackID: id, msg: .init(dom: dom, action: action)))
        case (4, .ioError(let path, let alias, let action, _)):
            client.send(
                RemoteProgram.DomainEventCallbackIoError.self,
                .init(callbackID: id, msg: .init(dom: dom, srcPath: path, devAlias: alias, action: action)))
        case (5, .graphics(let message)):
            client.send(RemoteProgram.DomainEventCallbackGraphics.self, .init(callbackID: id, msg: message))
        case (6, .ioError(let path, let alias, let action, let reason)):
            client.send(
                RemoteProgram.DomainEventCallbackIoErrorReason.self,
                .init(
                    callbackID: id,
                    msg: .init(dom: dom, srcPath: path, devAlias: alias, action: action, reason: reason)))
        case (7, .controlError):
            client.send(
                RemoteProgram.DomainEventCallbackControlError.self, .init(callbackID: id, msg: .init(dom: dom)))
        default:
            sendDeviceCallback(wanted, id, to: client)
        }
    }

    private func sendDeviceCallback(_ wanted: Int32, _ id: Int32, to client: ClientHandle) {
        let dom = domain
        switch (wanted, kind) {
        case (8, .blockJob(.some(let path), _, let type, let status)):
            client.send(
                RemoteProgram.DomainEventCallbackBlockJob.self,
                .init(callbackID: id, msg: .init(dom: dom, path: path, type: type, status: status)))
        case (9, .diskChange(let old, let new, let alias, let reason)):
            client.send(
                RemoteProgram.DomainEventCallbackDiskChange.self,
                .init(
                    callbackID: id,
                    msg: .init(dom: dom, oldSrcPath: old, newSrcPath: new, devAlias: alias, reason: reason)))
        case (10, .trayChange(let alias, let reason)):
            client.send(
                RemoteProgram.DomainEventCallbackTrayChange.self,
                .init(callbackID: id, msg: .init(dom: dom, devAlias: alias, reason: reason)))
        case (11, .wakeup):
            client.send(
                RemoteProgram.DomainEventCallbackPmwakeup.self,
                .init(callbackID: id, reason: 0, msg: .init(dom: dom)))
        case (12, .suspendedToMemory):
            client.send(
                RemoteProgram.DomainEventCallbackPmsuspend.self,
                .init(callbackID: id, reason: 0, msg: .init(dom: dom)))
        case (13, .balloonChange(let actual)):
            client.send(
                RemoteProgram.DomainEventCallbackBalloonChange.self,
                .init(callbackID: id, msg: .init(dom: dom, actual: actual)))
        case (14, .suspendedToDisk):
            client.send(
                RemoteProgram.DomainEventCallbackPmsuspendDisk.self,
                .init(callbackID: id, reason: 0, msg: .init(dom: dom)))
        case (15, .deviceRemoved(let alias)):
            client.send(
                RemoteProgram.DomainEventCallbackDeviceRemoved.self,
                .init(callbackID: id, msg: .init(dom: dom, devAlias: alias)))
        default:
            sendLaterCallback(wanted, id, to: client)
        }
    }

    private func sendLaterCallback(_ wanted: Int32, _ id: Int32, to client: ClientHandle) {
        let dom = domain
        switch (wanted, kind) {
        case (16, .blockJob(_, let target, let type, let status)):
            client.send(
                RemoteProgram.DomainEventBlockJob2.self,
                .init(callbackID: id, dom: dom, dst: target, type: type, status: status))
        case (17, .tunable(let params)):
            client.send(
                RemoteProgram.DomainEventCallbackTunable.self, .init(callbackID: id, dom: dom, params: params))
        case (18, .agentLifecycle(let state, let reason)):
            client.send(
                RemoteProgram.DomainEventCallbackAgentLifecycle.self,
                .init(callbackID: id, dom: dom, state: state, reason: reason))
        case (19, .deviceAdded(let alias)):
            client.send(
                RemoteProgram.DomainEventCallbackDeviceAdded.self,
                .init(callbackID: id, dom: dom, devAlias: alias))
        case (20, .migrationIteration(let iteration)):
            client.send(
                RemoteProgram.DomainEventCallbackMigrationIteration.self,
                .init(callbackID: id, dom: dom, iteration: iteration))
        case (21, .jobCompleted(let params)):
            client.send(
                RemoteProgram.DomainEventCallbackJobCompleted.self, .init(callbackID: id, dom: dom, params: params))
        case (22, .deviceRemovalFailed(let alias)):
            client.send(
                RemoteProgram.DomainEventCallbackDeviceRemovalFailed.self,
                .init(callbackID: id, dom: dom, devAlias: alias))
        default:
            sendNewestCallback(wanted, id, to: client)
        }
    }

    private func sendNewestCallback(_ wanted: Int32, _ id: Int32, to client: ClientHandle) {
        let dom = domain
        switch (wanted, kind) {
        case (23, .metadataChange(let type, let uri)):
            client.send(
                RemoteProgram.DomainEventCallbackMetadataChange.self,
                .init(callbackID: id, dom: dom, type: type, nsuri: uri))
        case (24, .blockThreshold(let device, let path, let threshold, let excess)):
            client.send(
                RemoteProgram.DomainEventBlockThreshold.self,
                .init(callbackID: id, dom: dom, dev: device, path: path, threshold: threshold, excess: excess))
        case (25, .memoryFailure(let recipient, let action, let flags)):
            client.send(
                RemoteProgram.DomainEventMemoryFailure.self,
                .init(callbackID: id, dom: dom, recipient: recipient, action: action, flags: flags))
        case (26, .memoryDeviceSizeChange(let alias, let size)):
            client.send(
                RemoteProgram.DomainEventMemoryDeviceSizeChange.self,
                .init(callbackID: id, dom: dom, alias: alias, size: size))
        default: break
        }
    }
}
