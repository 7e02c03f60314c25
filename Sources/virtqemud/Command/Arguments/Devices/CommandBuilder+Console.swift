import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addConsoles() throws(VirtError) {
        for (index, console) in devices.consoles.enumerated() {
            let alias = console.info.alias ?? ""
            switch console.target ?? .serial {
            case .virtio:
                try add(chardev: console.source, alias)
                // QEMU 7.2 wants neither bus nor number for a console without a place.
                add(device: portDevice("virtconsole", console.info, name: nil))
            case .sclp, .sclplm:
                try add(chardev: console.source, alias)
                let driver = console.target == .sclp ? "sclpconsole" : "sclplmconsole"
                add(device: ["driver": .string(driver), "chardev": .string("char\(alias)"), "id": .string(alias)])
            case .serial:
                // The first one is the first serial port by another name.
                if index == 0, !devices.serials.isEmpty { continue }
            case .xen, .uml, .openvz, .none: continue
            }
        }
    }
}
