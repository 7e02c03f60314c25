// modules: CLibXML2 CLinux VirtCore VirtOS VirtXML VirtModel QEMUMonitor QEMUCommand
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import QEMUCommand
import VirtCore
import VirtModel
import VirtXML

/// A domain's way from a client's bytes: parse, complete, validate, print, read back, and QEMU's arguments.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDomain(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    // The first byte chooses how the document is read.
    let flags: MappingFlags = [.inactive, [], .status][Int(bytes.first ?? 0) % 3]
    guard var domain = try? Domain.parse(bytes.dropFirst(), flags: flags) else { return 0 }
    _ = try? domain.format([.secure, .status])
    do {
        try domain.complete(context)
        try domain.validate(context)
    } catch {
        return 0
    }
    guard let text = try? domain.format([.inactive, .secure]) else { return 0 }
    _ = try? Domain.parse(text)
    _ = try? domain.format(.migratable)
    domain.prepareForNative()
    guard (try? domain.reassignAddresses(context)) != nil else { return 0 }
    domain.assignAliases()
    domain.assignNodeIndexes()
    _ = domain.neededSecrets
    _ = try? QEMUCommand.build(domain, facts, .native(name: domain.name))
    return 0
}

private func emulator(
    _ arch: String, _ machines: [(String, String)], _ flags: Set<String>
) -> DomainCompletionContext.Emulator {
    DomainCompletionContext.Emulator(
        path: "/usr/bin/qemu-system-\(arch)", arch: arch,
        machines: machines.map { .init(name: $0.0, alias: $0.1, defaultCPU: [.qemu: "base"]) }, flags: flags)
}

/// A QEMU with every switch, so that no branch of the builder is out of reach.
private let facts: QEMUCapabilities = {
    var facts = QEMUCapabilities()
    facts.architecture = "x86_64"
    facts.flags = Set(QEMUFlag.allCases)
    return facts
}()

private let context = DomainCompletionContext(
    hostArch: "x86_64",
    emulators: [
        emulator(
            "x86_64", [("pc-i440fx-7.2", "pc"), ("pc-q35-7.2", "q35")],
            ["qemu-xhci", "piix3-usb-uhci", "pcie-root-port", "pcie-pci-bridge", "rtl8139", "lsi", "cirrus-vga"]),
        emulator("aarch64", [("virt-7.2", "virt")], ["gpex-pcihost", "pcie-root-port", "virtio-mmio", "qemu-xhci"]),
        emulator("ppc64", [("pseries-7.2", "pseries")], ["qemu-xhci", "pci-ohci", "rtl8139"]),
        emulator("s390x", [("s390-ccw-virtio-7.2", "s390-ccw-virtio")], ["zpci", "virtio-scsi-pci"]),
    ])
