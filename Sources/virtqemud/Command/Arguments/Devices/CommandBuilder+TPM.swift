import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addTPMs() throws(VirtError) {
        for tpm in devices.tpms {
            let alias = tpm.info.alias ?? ""
            let model = tpm.model?.rawValue ?? "tpm-tis"
            if tpm.model == .spaprProxy {
                add(device: [
                    "driver": "spapr-tpm-proxy", "id": .string(alias), "host-path": .string(tpm.devicePath ?? ""),
                ])
                continue
            }
            switch tpm.backend {
            case .passthrough:
                let sets = environment.tpms[alias] ?? inventedSets()
                for (part, set) in [("tpm", sets.device), ("cancel", sets.cancel)] {
                    add("-add-fd", "set=\(set.number),fd=\(set.descriptor),opaque=\(alias)-\(part)")
                }
                let paths = "path=/dev/fdset/\(sets.device.number),cancel-path=/dev/fdset/\(sets.cancel.number)"
                add("-tpmdev", "passthrough,id=tpm-\(alias),\(paths)")
            case .emulator, .external:
                let path =
                    tpm.externalSource?.path ?? environment.tpmSockets[alias]
                    ?? "\(environment.libraryDirectory)/\(alias)-swtpm.sock"
                add("-chardev", "socket,id=chrtpm,path=\(KeyValueText.escape(path))")
                add("-tpmdev", "emulator,id=tpm-\(alias),chardev=chrtpm")
            }
            var properties: JSONObject = [
                "driver": .string((machine.isARM || machine.isRISCV) && tpm.model == .tis ? "tpm-tis-device" : model),
                "tpmdev": .string("tpm-\(alias)"), "id": .string(alias),
            ]
            try addAddress(tpm.info, to: &properties)
            add(device: properties)
        }
    }

    /// The sets that a TPM of the host would have in a guest that is not started.
    private mutating func inventedSets() -> CommandEnvironment.TPMSets {
        defer {
            inventedDescriptor += 2
            inventedSet += 2
        }
        return .init(
            device: .init(number: inventedSet, descriptor: inventedDescriptor),
            cancel: .init(number: inventedSet + 1, descriptor: inventedDescriptor + 1))
    }
}
