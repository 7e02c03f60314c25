import VirtCore

/// What completing and validating a domain needs to know about the host: the emulators, and a few settings. A plain
/// value: whoever probes QEMU fills it, tests make one up.
package struct DomainCompletionContext: Sendable {
    /// What one QEMU binary can do.
    package struct Emulator: Sendable {
        package var path: String
        /// libvirt's name of the architecture: `x86_64`, `aarch64`, `s390x`.
        package var arch: String
        /// `qemu`, and `kvm` where the host has it.
        package var virtTypes: Set<Domain.Kind>
        package var machines: [Machine]
        /// libvirt's names of the capabilities that the binary has: `qemu-xhci`, `pcie-root-port`, `virtio-mmio`.
        package var flags: Set<String>

        package init(
            path: String, arch: String, virtTypes: Set<Domain.Kind> = [.qemu], machines: [Machine],
            flags: Set<String>
        ) {
            self.path = path
            self.arch = arch
            self.virtTypes = virtTypes
            self.machines = machines
            self.flags = flags
        }

        /// Whether the binary runs guests of that architecture.
        package func supports(arch other: String) -> Bool {
            if arch == other { return true }
            switch (arch, other) {
            case ("x86_64", "i686"), ("aarch64", "armv7l"), ("armv7l", "armv6l"), ("ppc64", "ppc64le"): return true
            default: return false
            }
        }
    }

    /// One machine type of an emulator.
    package struct Machine: Sendable {
        package var name: String
        /// The short name that stands for it: `pc`, `q35`.
        package var alias: String?
        package var isDefault: Bool
        /// The CPU model that QEMU takes by itself, in libvirt's name: `qemu64`. Per virtualization type.
        package var defaultCPU: [Domain.Kind: String]
        package var maximumCPUs: UInt32

        package init(
            name: String, alias: String? = nil, isDefault: Bool = false, defaultCPU: [Domain.Kind: String] = [:],
            maximumCPUs: UInt32 = 255
        ) {
            self.name = name
            self.alias = alias
            self.isDefault = isDefault
            self.defaultCPU = defaultCPU
            self.maximumCPUs = maximumCPUs
        }
    }

    /// The host's architecture.
    package var hostArch: String
    /// In order of preference: the first one that runs an architecture is its default.
    package var emulators: [Emulator]
    /// Where the variables of UEFI guests are kept.
    package var nvramDirectory = "/var/lib/libvirt/qemu/nvram"
    /// The start of the paths of channel sockets that libvirt makes up, which are no part of a definition.
    package var channelTargetDirectory = "/var/lib/libvirt/qemu/channel"
    /// The security model that guests are labelled with: `selinux`, `apparmor`, or `none`.
    package var securityModel = "none"
    /// The versions of TPMs that swtpm emulates here.
    package var tpmVersions: Set<TPM.Version> = []
    /// `spice_tls` of qemu.conf.
    package var spiceTLS = false
    /// Whether a guest's sound may go to the host's devices (`vnc_allow_host_audio`, `nographics_allow_host_audio`).
    package var vncAllowsHostAudio = false
    package var headlessAllowsHostAudio = false

    package init(hostArch: String, emulators: [Emulator]) {
        self.hostArch = hostArch
        self.emulators = emulators
    }

    /// The emulator that a domain names, or the default one of its architecture.
    package func emulator(of domain: Domain) -> Emulator? {
        let arch = domain.os.arch ?? hostArch
        // By index: looking at an element copies nothing, and a thousand definitions are completed at the same time.
        let all = emulators.indices
        guard let path = domain.devices.emulator else {
            let found = all.first { emulators[$0].arch == arch } ?? all.first { emulators[$0].supports(arch: arch) }
            return found.map { emulators[$0] }
        }
        let found =
            all.first { emulators[$0].path == path && emulators[$0].supports(arch: arch) }
            ?? all.first { emulators[$0].path == path }
        return found.map { emulators[$0] }
    }
}

extension DomainCompletionContext.Emulator {
    /// The machine type of that name or alias.
    package func machine(_ name: String) -> DomainCompletionContext.Machine? {
        let all = machines.indices
        let found = all.first { machines[$0].name == name } ?? all.first { machines[$0].alias == name }
        return found.map { machines[$0] }
    }

    /// The machine type that a guest gets that names none.
    package func preferredMachine(for type: Domain.Kind) -> DomainCompletionContext.Machine? {
        if type == .kvm, !virtTypes.contains(type) { return nil }
        return machines.first(where: \.isDefault) ?? machines.first
    }

    package func has(_ flag: String) -> Bool { flags.contains(flag) }
}
