import QEMUMonitor
import VirtCore
import VirtModel
import VirtWire

/// QEMU's events about a guest's devices.
extension DomainActor {
    func handleDeviceEvent(_ event: QMPEvent) {
        let data = event.data
        switch event.name {
        case "BALLOON_CHANGE": balloonChanged(data)
        case "DEVICE_DELETED": deviceDeleted(data)
        case "DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR", "ACPI_DEVICE_OST":
            if let alias = data["device"]?.string, !alias.isEmpty { emit(.deviceRemovalFailed(alias: alias)) }
        case "DEVICE_TRAY_MOVED": trayMoved(data)
        case "VSERPORT_CHANGE": portChanged(data)
        case "VNC_CONNECTED": graphics(data, phase: 0)
        case "VNC_INITIALIZED": graphics(data, phase: 1)
        case "VNC_DISCONNECTED": graphics(data, phase: 2)
        case "SPICE_INITIALIZED": graphics(data, phase: 1)
        case "SPICE_DISCONNECTED": graphics(data, phase: 2)
        case "BLOCK_WRITE_THRESHOLD": thresholdReached(data)
        case "MEMORY_FAILURE": memoryFailed(data)
        case "MEMORY_DEVICE_SIZE_CHANGE":
            if let alias = data["id"]?.string, let size: UInt64 = data["size"]?.integer() {
                emit(.memoryDeviceSizeChange(alias: alias, size: size / 1024))
            }
        default: break
        }
    }

    private func balloonChanged(_ data: JSONValue) {
        guard let actual: UInt64 = data["actual"]?.integer() else { return }
        let kibibytes = actual / 1024
        live?.currentMemoryKibibytes = kibibytes
        publish()
        emit(.balloonChange(kibibytes: kibibytes))
        scheduleSave()
    }

    private func deviceDeleted(_ data: JSONValue) {
        guard let alias = data["device"]?.string else { return }
        runtime?.devices.removeAll { $0 == alias }
        publish()
        emit(.deviceRemoved(alias: alias))
        scheduleSave()
        deviceWasUnplugged(alias)
    }

    private func trayMoved(_ data: JSONValue) {
        let isOpen = data["tray-open"]?.bool ?? false
        let identifier = data["id"]?.string ?? ""
        let device = data["device"]?.string ?? ""
        guard let alias = live?.setTray(open: isOpen, identifier: identifier, device: device) else { return }
        publish()
        emit(.trayChange(alias: alias, reason: isOpen ? 0 : 1))
        scheduleSave()
    }

    private func portChanged(_ data: JSONValue) {
        guard let alias = data["id"]?.string, let isOpen = data["open"]?.bool else { return }
        let guest = generation
        // A job that is under way comes to its end, and tells of it, first.
        Task { await self.portChanged(alias, isOpen: isOpen, of: guest) }
    }

    private func portChanged(_ alias: String, isOpen: Bool, of guest: UInt64) async {
        do {
            try await beginJob(.modify, "VSERPORT_CHANGE")
        } catch {
            return Self.log.warning("a change of channel '\(alias)' of guest '\(name)' is not noted: \(error)")
        }
        defer { endJob() }
        guard guest == generation, let change = live?.setChannel(alias: alias, connected: isOpen) else { return }
        publish()
        if change.isAgent { emit(.agentLifecycle(state: isOpen ? 1 : 2, reason: 2)) }
        scheduleSave()
    }

    private func graphics(_ data: JSONValue, phase: Int32) {
        func address(_ value: JSONValue?) -> RemoteDomainEventGraphicsAddress {
            let families: [String: Int32] = ["ipv4": 0, "ipv6": 1, "unix": 2]
            let family = families[value?["family"]?.string ?? ""] ?? 0
            let service = (value?["service"] ?? value?["port"])?.string ?? ""
            return RemoteDomainEventGraphicsAddress(
                family: family, node: value?["host"]?.string ?? "", service: service)
        }
        var subject: [RemoteDomainEventGraphicsIdentity] = []
        if let name = data["client"]?["x509_dname"]?.string { subject.append(.init(type: "x509dname", name: name)) }
        if let name = data["client"]?["sasl_username"]?.string {
            subject.append(.init(type: "saslUsername", name: name))
        }
        let message = RemoteDomainEventGraphicsMsg(
            dom: handle, phase: phase, local: address(data["server"]), remote: address(data["client"]),
            authScheme: data["server"]?["auth"]?.string ?? "", subject: subject)
        emit(.graphics(message))
    }

    private func thresholdReached(_ data: JSONValue) {
        guard let node = data["node-name"]?.string, let target = live?.disk(nodeName: node) else { return }
        let threshold: UInt64 = data["write-threshold"]?.integer() ?? 0
        let excess: UInt64 = data["amount-exceeded"]?.integer() ?? 0
        emit(.blockThreshold(device: target.name, path: target.path, threshold: threshold, excess: excess))
    }

    private func memoryFailed(_ data: JSONValue) {
        let recipients = ["hypervisor", "guest"]
        let actions = ["ignore", "inject", "fatal", "reset"]
        let recipient = recipients.firstIndex(of: data["recipient"]?.string ?? "") ?? 0
        let action = actions.firstIndex(of: data["action"]?.string ?? "") ?? 0
        let required: UInt32 = data["flags"]?["action-required"]?.bool == true ? 1 : 0
        let recursive: UInt32 = data["flags"]?["recursive"]?.bool == true ? 2 : 0
        emit(.memoryFailure(recipient: Int32(recipient), action: Int32(action), flags: required | recursive))
    }

    func blockError(_ data: JSONValue) {
        let actions = ["ignore", "stop", "report"]
        let names: [Int32] = [0, 1, 2]
        let index = actions.firstIndex(of: data["action"]?.string ?? "") ?? 0
        let node = data["node-name"]?.string ?? ""
        let found = live?.disk(nodeName: node)
        let reason = data["nospace"]?.bool == true ? "enospc" : ""
        emit(
            .ioError(
                path: found?.path ?? "", alias: found?.alias ?? "", action: names[index], reason: reason))
        // virDomainEventIOErrorAction: none 0, pause 1, report 2.
        guard index == 1, state.kind == .running else { return }
        state = .paused(.ioError)
        publish()
        emit(.suspended(.ioError))
        releaseLocksSoon()
        scheduleSave()
    }
}
