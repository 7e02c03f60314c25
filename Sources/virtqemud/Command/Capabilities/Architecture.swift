/// An architecture that libvirt knows guests of, by libvirt's name.
package struct Architecture: Sendable {
    package let name: String
    /// Bits of a machine word.
    package let wordSize: Int
    /// QEMU's name of it.
    package let target: String
    /// The machine type of guests that name none, whatever QEMU's own default has become.
    let preferredMachine: String?

    private init(_ name: String, _ wordSize: Int, target: String? = nil, _ preferredMachine: String? = nil) {
        self.name = name
        self.wordSize = wordSize
        self.target = target ?? name
        self.preferredMachine = preferredMachine
    }

    /// All of them in libvirt's order.
    package static let all = [
        Architecture("alpha", 64, "clipper"),
        Architecture("armv6l", 32, target: "arm", "integratorcp"),
        Architecture("armv7l", 32, target: "arm", "integratorcp"),
        Architecture("armv7b", 32, "integratorcp"),
        Architecture("aarch64", 64, "integratorcp"),
        Architecture("cris", 32, "axis-dev88"),
        Architecture("i686", 32, target: "i386", "pc"),
        Architecture("ia64", 64),
        Architecture("lm32", 32, "lm32-evr"),
        Architecture("m68k", 32, "mcf5208evb"),
        Architecture("microblaze", 32, "petalogix-s3adsp1800"),
        Architecture("microblazeel", 32, "petalogix-s3adsp1800"),
        Architecture("mips", 32, "malta"),
        Architecture("mipsel", 32, "malta"),
        Architecture("mips64", 64, "malta"),
        Architecture("mips64el", 64, "malta"),
        Architecture("openrisc", 32, target: "or32", "or1k-sim"),
        Architecture("parisc", 32),
        Architecture("parisc64", 64),
        Architecture("ppc", 32, "g3beige"),
        Architecture("ppcle", 32, "g3beige"),
        Architecture("ppc64", 64, "pseries"),
        Architecture("ppc64le", 64, "pseries"),
        Architecture("ppcemb", 32, "bamboo"),
        Architecture("riscv32", 32, "spike_v1.10"),
        Architecture("riscv64", 64, "spike_v1.10"),
        Architecture("s390", 32),
        Architecture("s390x", 64, "s390-ccw-virtio"),
        Architecture("sh4", 32, "shix"),
        Architecture("sh4eb", 64, "shix"),
        Architecture("sparc", 32, "SS-5"),
        Architecture("sparc64", 64, "sun4u"),
        Architecture("unicore32", 32, "puv3"),
        Architecture("x86_64", 64, "pc"),
        Architecture("xtensa", 32, "sim"),
        Architecture("xtensaeb", 32, "sim"),
    ]

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// The architecture of that name; nil for one that libvirt doesn't know.
    package static func named(_ name: String) -> Architecture? { byName[name] }

    /// libvirt's name of an architecture that QEMU calls by its own; nil for one that libvirt doesn't know.
    package static func name(ofTarget target: String) -> String? {
        switch target {
        case "i386": "i686"
        case "arm": "armv7l"
        case "or32": "openrisc"
        default: named(target)?.name
        }
    }

    package static func isX86(_ name: String) -> Bool { name == "x86_64" || name == "i686" }
    package static func isS390(_ name: String) -> Bool { name == "s390x" || name == "s390" }
    package static func isARM(_ name: String) -> Bool { ["aarch64", "armv6l", "armv7l", "armv7b"].contains(name) }
    package static func isPPC64(_ name: String) -> Bool { name == "ppc64" || name == "ppc64le" }
    package static func isPPC(_ name: String) -> Bool { isPPC64(name) || ["ppc", "ppcle", "ppcemb"].contains(name) }
    package static func isRISCV(_ name: String) -> Bool { name == "riscv64" || name == "riscv32" }

    /// Whether libvirt knows how to choose processor models for guests of it.
    package static func hasProcessorModels(_ name: String) -> Bool {
        isX86(name) || isPPC64(name) || isARM(name) || isS390(name)
    }

    /// libvirt's name of a processor model that QEMU calls `name`: those of pSeries are upper case in libvirt's map.
    package static func libvirtModel(_ name: String, _ architecture: String) -> String {
        let mapped = ["POWER6", "POWER7", "POWER8", "POWER9", "POWER10"]
        return isPPC64(architecture) && mapped.contains(name.uppercased()) ? name.uppercased() : name
    }

    /// Whether two architectures are of one family.
    package static func areRelated(_ first: String, _ second: String) -> Bool {
        first == second || [isX86, isPPC, isARM, isS390].contains { $0(first) && $0(second) }
    }

    /// Whether an emulator of one architecture also runs guests of the other.
    package static func isRun(_ guest: String, byEmulatorOf emulated: String) -> Bool {
        switch (emulated, guest) {
        case ("x86_64", "i686"), ("aarch64", "armv7l"), ("armv7l", "armv6l"), ("ppc64", "ppc64le"): true
        default: guest == emulated
        }
    }

    /// Whether a host runs guests of the architecture without translating them.
    package static func isNative(_ guest: String, host: String) -> Bool {
        switch (host, guest) {
        case ("x86_64", "i686"), ("aarch64", "armv7l"): true
        default: guest == host || isPPC64(guest) && isPPC64(host)
        }
    }
}
