/// Which family of machines a guest belongs to: most of libvirt's rules ask for no more.
package struct MachineKind: Equatable, Sendable {
    package let arch: String
    package let machine: String

    package init(arch: String, machine: String) {
        self.arch = arch
        self.machine = machine
    }

    package var isX86: Bool { arch == "x86_64" || arch == "i686" }
    package var isS390: Bool { arch == "s390x" || arch == "s390" }
    package var isPPC64: Bool { arch == "ppc64" || arch == "ppc64le" }
    package var isARM: Bool { ["armv6l", "armv7l", "armv7b", "aarch64", "aarch64_be"].contains(arch) }
    package var isRISCV: Bool { arch == "riscv64" || arch == "riscv32" }

    package var isQ35: Bool { isX86 && (machine == "q35" || machine.hasPrefix("pc-q35")) }
    package var isI440FX: Bool {
        guard isX86 else { return false }
        return ["pc", "pc-0.", "pc-1.", "pc-i440", "rhel"].contains {
            $0 == "pc" ? machine == $0 : machine.hasPrefix($0)
        }
    }
    package var isISAPC: Bool { isX86 && machine == "isapc" }
    package var isMicroVM: Bool { isX86 && (machine == "microvm" || machine.hasPrefix("microvm-")) }
    package var isARMVirt: Bool { isARM && (machine == "virt" || machine.hasPrefix("virt-")) }
    package var isRISCVVirt: Bool { isRISCV && (machine == "virt" || machine.hasPrefix("virt-")) }
    package var isPSeries: Bool { isPPC64 && (machine == "pseries" || machine.hasPrefix("pseries-")) }
    package var isS390CCW: Bool { isS390 && machine.hasPrefix("s390-ccw") }

    /// Whether the machine has a first IDE controller of its own.
    package var hasBuiltInIDE: Bool {
        isI440FX || ["malta", "sun4u", "g3beige"].contains(machine)
    }
}

extension Domain {
    /// The family of the guest's machine.
    package var machineKind: MachineKind { MachineKind(arch: os.arch ?? "", machine: os.machine ?? "") }
}
