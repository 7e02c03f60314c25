import VirtCore
import VirtModel
import VirtXML

/// Hosts and documents for the tests of domains.
enum DomainFixture {
    /// A host with emulators for two architectures, as Debian 12 has them.
    static let context = DomainCompletionContext(
        hostArch: "x86_64",
        emulators: [
            DomainCompletionContext.Emulator(
                path: "/usr/bin/qemu-system-x86_64", arch: "x86_64",
                machines: [
                    .init(name: "pc-i440fx-7.2", alias: "pc", isDefault: true, defaultCPU: [.qemu: "qemu64"]),
                    .init(name: "pc-q35-7.2", alias: "q35", defaultCPU: [.qemu: "qemu64"], maximumCPUs: 288),
                ],
                flags: [
                    "qemu-xhci", "piix3-usb-uhci", "ich9-usb-ehci1", "pcie-root-port", "pcie-pci-bridge", "rtl8139",
                    "lsi", "cirrus-vga", "VGA", "virtio-scsi-pci",
                ]),
            DomainCompletionContext.Emulator(
                path: "/usr/bin/qemu-system-aarch64", arch: "aarch64",
                machines: [.init(name: "virt-7.2", alias: "virt", defaultCPU: [.qemu: "cortex-a15"])],
                flags: ["gpex-pcihost", "pcie-root-port", "virtio-mmio", "qemu-xhci"]),
        ])

    /// A small guest with those devices.
    static func document(
        machine: String = "q35", arch: String = "x86_64", _ devices: String, _ more: String = ""
    ) -> String {
        """
        <domain type='qemu'>
          <name>guest</name>
          <uuid>2c0abd3d-8f18-42c0-a132-9708213aaac9</uuid>
          <memory unit='MiB'>512</memory>
          <os><type arch='\(arch)' machine='\(machine)'>hvm</type></os>
          \(more)
          <devices>\(devices)</devices>
        </domain>
        """
    }

    /// A small guest, completed.
    static func complete(
        machine: String = "q35", arch: String = "x86_64", _ devices: String, _ more: String = ""
    ) throws -> Domain {
        var domain = try Domain.parse(document(machine: machine, arch: arch, devices, more))
        try domain.complete(context)
        return domain
    }

    /// The PCI place of a device as `bus:slot.function`.
    static func place(_ info: DeviceInfo?) -> String? {
        guard case .pci(let address) = info?.address else { return nil }
        return address.text
    }

    /// What a document is refused with; nil when it is taken.
    static func refusal(_ text: String) -> VirtError? {
        do {
            var domain = try Domain.parse(text)
            try domain.complete(context)
            try domain.validate(context)
            return nil
        } catch {
            return error as? VirtError
        }
    }
}
