import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addWatchdogs() throws(VirtError) {
        for watchdog in devices.watchdogs {
            if watchdog.model != .itco {
                var properties: JSONObject = [
                    "driver": .string(watchdog.model.rawValue), "id": .string(watchdog.info.alias ?? ""),
                ]
                try addAddress(watchdog.info, to: &properties)
                add(device: properties)
            } else {
                add("-global", "ICH9-LPC.noreboot=off")
            }
        }
        guard let action = devices.watchdogs.first?.action else { return }
        // QEMU stops the guest, libvirt dumps it.
        add("-watchdog-action", action == .dump ? "pause" : action.rawValue)
    }
}
