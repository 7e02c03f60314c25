import VirtCore
import VirtXML

extension DriveAddress {
    /// Refuses a place that the bus's controller has not.
    func validate(_ bus: Disk.Bus, _ context: DomainValidation) throws(VirtError) {
        switch bus {
        case .scsi: try validateSCSI(context)
        case .ide:
            guard controller == 0 else { throw only("IDE controller is") }
            guard target == 0 else { throw VirtError.unsupported("target must be 0 for ide controller", .qemu) }
        case .fdc:
            guard controller == 0 else { throw only("fdc controller is") }
            guard self.bus == 0 else { throw only("fdc bus is") }
            guard target == 0 else { throw VirtError.unsupported("target must be 0 for controller fdc", .qemu) }
        case .sata:
            guard self.bus == 0 else { throw VirtError.unsupported("bus must be 0 for sata controller", .qemu) }
            guard target == 0 else { throw VirtError.unsupported("target must be 0 for sata controller", .qemu) }
        case .virtio, .xen, .usb, .uml, .sd, .none: return
        }
    }

    private func validateSCSI(_ context: DomainValidation) throws(VirtError) {
        guard bus == 0 else { throw VirtError(.internalError, .qemu, "SCSI controller only supports 1 bus") }
        let controllers = context.devices.controllers
        guard let own = controllers.first(where: { $0.type == .scsi && $0.index == controller }) else { return }
        if own.model == .lsilogic {
            guard target == 0 else {
                throw VirtError.unsupported("target must be 0 for controller model 'lsilogic'", .qemu)
            }
        } else if !context.emulator.has("scsi-disk.channel"), target > 7 {
            throw VirtError.unsupported("This QEMU doesn't support target greater than 7", .qemu)
        }
    }

    private func only(_ what: String) -> VirtError {
        VirtError(.internalError, .qemu, "Only 1 \(what) supported")
    }
}
