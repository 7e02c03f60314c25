/// What one QEMU binary can do: gathered by asking it, kept in libvirt's cache file.
package struct QEMUCapabilities: Sendable, Equatable {
    /// The oldest QEMU that is driven: JSON for every device came with it, and libvirt 9.0 needs 4.2.
    package static let minimumVersion: UInt32 = 4_002_000

    package var emulator = ""
    /// When the facts were gathered, and of what: they tell whether the file on disk is still true.
    package var origin = Origin()
    package var flags: Set<QEMUFlag> = []
    /// QEMU's version: major * 1,000,000 + minor * 1,000 + micro.
    package var version: UInt32 = 0
    /// The distribution's package string.
    package var package: String?
    /// libvirt's name of the architecture that is emulated.
    package var architecture = ""
    package var gic: [GIC] = []
    package var kvm = Accelerator()
    package var tcg = Accelerator()
    package var hyperv: Hyperv?
    package var sev: SEV?
    package var sgx: SGX?

    package init() {}

    /// Times and versions of everything that the facts depend on.
    package struct Origin: Sendable, Equatable {
        /// ctime of the binary.
        package var binaryTime: Int64 = 0
        /// mtime of the directory with QEMU's modules, 0 where it is missing.
        package var modulesTime: Int64 = 0
        /// ctime of the daemon that the facts are for: C libvirt's, where it is installed, so that it takes them over.
        package var selfTime: Int64 = 0
        /// ctime of the daemon that gathered the facts; nil in C libvirt's files.
        package var proberTime: Int64?
        /// libvirt's version as a number.
        package var selfVersion: UInt64 = 0
        package var kvmVersion: UInt32 = 0
        package var microcodeVersion: UInt32 = 0
        package var hostCPUSignature: String?
        /// `release version` of the running kernel; only where KVM was usable.
        package var kernelVersion: String?
        package var supportsNesting = false
        package var supportsSecureGuest = false

        package init() {}
    }

    /// What depends on how guests are run: with KVM, or with TCG.
    package struct Accelerator: Sendable, Equatable {
        package var hostCPU: HostCPU?
        package var cpus: [CPU] = []
        package var machines: [Machine] = []

        package init() {}
    }

    /// One machine type.
    package struct Machine: Sendable, Equatable {
        package var name: String
        package var alias: String?
        package var hotplugCPUs = false
        package var maximumCPUs: UInt32 = 0
        package var isDefault = false
        /// QOM type of the processor that a guest gets without `-cpu`.
        package var defaultCPU: String?
        package var numaMemorySupported = false
        package var defaultRAMID: String?
        package var deprecated = false

        package init(name: String) {
            self.name = name
        }
    }

    /// One processor model that QEMU offers.
    package struct CPU: Sendable, Equatable {
        package var name: String
        package var typeName: String?
        /// Whether the host can run it; nil where QEMU does not tell.
        package var usable: Bool?
        /// The features that keep it from being usable.
        package var blockers: [String] = []
        package var deprecated = false

        package init(name: String) {
            self.name = name
        }
    }

    /// The host's processor as QEMU sees it.
    package struct HostCPU: Sendable, Equatable {
        package var model: String
        /// Whether each property tells if it can be migrated.
        package var knowsMigratability: Bool
        package var properties: [Property]

        package init(model: String, knowsMigratability: Bool, properties: [Property]) {
            self.model = model
            self.knowsMigratability = knowsMigratability
            self.properties = properties
        }
    }

    /// A property of a processor.
    package struct Property: Sendable, Equatable {
        package enum Value: Sendable, Equatable {
            case boolean(Bool)
            case string(String)
            case number(Int64)
        }

        package var name: String
        package var value: Value
        package var migratable: Bool?

        package init(name: String, value: Value, migratable: Bool? = nil) {
            self.name = name
            self.value = value
            self.migratable = migratable
        }
    }

    /// An ARM interrupt controller.
    package struct GIC: Sendable, Equatable {
        package var version: UInt32
        package var kernel: Bool
        package var emulated: Bool

        package init(version: UInt32, kernel: Bool, emulated: Bool) {
            self.version = version
            self.kernel = kernel
            self.emulated = emulated
        }
    }

    /// The Hyper-V enlightenments, by libvirt's names.
    package struct Hyperv: Sendable, Equatable {
        package var supported: Bool
        package var features: [String]

        package init(supported: Bool, features: [String]) {
            self.supported = supported
            self.features = features
        }
    }

    /// AMD's encrypted guests.
    package struct SEV: Sendable, Equatable {
        package var cbitPosition: UInt32 = 0
        package var reducedPhysicalBits: UInt32 = 0
        package var pdh = ""
        package var certificateChain = ""
        package var cpu0ID: String?
        package var maximumGuests: UInt32 = 0
        package var maximumESGuests: UInt32 = 0

        package init() {}
    }

    /// Intel's enclaves.
    package struct SGX: Sendable, Equatable {
        package var flexibleLaunchControl = false
        package var sgx1 = false
        package var sgx2 = false
        /// Bytes.
        package var sectionSize: UInt64 = 0
        package var sections: [Section] = []

        package struct Section: Sendable, Equatable {
            package var node: UInt32
            /// Bytes.
            package var size: UInt64

            package init(node: UInt32, size: UInt64) {
                self.node = node
                self.size = size
            }
        }

        package init() {}
    }
}

extension QEMUCapabilities {
    package func has(_ flag: QEMUFlag) -> Bool { flags.contains(flag) }

    /// The facts for guests of a virtualisation type.
    package func accelerator(kvm isKVM: Bool) -> Accelerator { isKVM ? kvm : tcg }

    /// The machine type of that name or alias.
    package func machine(_ name: String, kvm isKVM: Bool) -> Machine? {
        let machines = accelerator(kvm: isKVM).machines
        return machines.first { $0.name == name } ?? machines.first { $0.alias == name }
    }

    /// The name that stays with the guest when an alias is given; unknown names stay as they are.
    package func canonicalMachine(_ name: String, kvm isKVM: Bool) -> String {
        accelerator(kvm: isKVM).machines.first { $0.alias == name }?.name ?? name
    }

    /// The machine type of guests that name none, which is the first.
    package func preferredMachine(kvm isKVM: Bool) -> String? {
        accelerator(kvm: isKVM).machines.first?.name
    }
}
