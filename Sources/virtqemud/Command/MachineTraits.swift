package import VirtModel

/// What a machine type's name says about its devices.
package struct MachineTraits: Sendable, Equatable {
    package let architecture: String
    package let name: String

    package init(_ domain: Domain) { self.init(architecture: domain.os.arch ?? "", name: domain.os.machine ?? "") }

    package init(architecture: String, name: String) {
        self.architecture = architecture
        self.name = name
    }

    package var isX86: Bool { Architecture.isX86(architecture) }
    package var isARM: Bool { Architecture.isARM(architecture) }
    package var isS390: Bool { Architecture.isS390(architecture) }
    package var isPPC64: Bool { Architecture.isPPC64(architecture) }
    package var isRISCV: Bool { Architecture.isRISCV(architecture) }

    package var isQ35: Bool { isX86 && (name.hasPrefix("pc-q35") || name == "q35") }
    package var isI440FX: Bool {
        guard isX86 else { return false }
        let prefixes = ["pc-i440", "pc-0.", "pc-1.", "rhel"]
        return name == "pc" || prefixes.contains(where: name.hasPrefix)
    }
    package var isMicroVM: Bool { isX86 && name == "microvm" }
    package var isPSeries: Bool { isPPC64 && (name == "pseries" || name.hasPrefix("pseries-")) }
    package var isARMVirt: Bool { isARM && (name == "virt" || name.hasPrefix("virt-")) }
    package var isRISCVVirt: Bool { isRISCV && (name == "virt" || name.hasPrefix("virt-")) }
    package var isS390CCW: Bool { isS390 && name.hasPrefix("s390-ccw") }

    /// Whether the root of the PCI tree is PCI Express.
    package var hasPCIeRoot: Bool { isQ35 || isARMVirt || isRISCVVirt }
    package var hasPCIRoot: Bool { isI440FX || isPSeries || isS390CCW || ["g3beige", "mac99"].contains(name) }
    /// An IDE controller is part of the machine.
    package var hasBuiltInIDE: Bool { isI440FX || name == "malta" || name == "sun4u" || name == "g3beige" }
    /// `-usb` gives the machine a USB controller that no definition names.
    package var hasOldUSB: Bool { !isQ35 && !isARMVirt && !isRISCV && !isS390 && !isMicroVM && !isPSeries }
    /// A floppy controller is part of the machine; newer Q35 have none.
    package var hasBuiltInFloppy: Bool {
        guard isQ35 else { return true }
        return ["pc-q35-1.", "pc-q35-2.0", "pc-q35-2.1", "pc-q35-2.2", "pc-q35-2.3"].contains { prefix in
            prefix.hasSuffix(".") ? name.hasPrefix(prefix) : name == prefix
        }
    }
}
