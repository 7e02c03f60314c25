/// libvirt's names of architectures.
package enum Architecture {
    /// libvirt's name of an architecture that QEMU calls by its own.
    package static func name(ofTarget target: String) -> String {
        switch target {
        case "i386": "i686"
        case "arm": "armv7l"
        case "or32": "or1k"
        default: target
        }
    }

    package static func isX86(_ name: String) -> Bool { name == "x86_64" || name == "i686" }
    package static func isS390(_ name: String) -> Bool { name == "s390x" || name == "s390" }
    package static func isARM(_ name: String) -> Bool { ["aarch64", "armv6l", "armv7l", "armv7b"].contains(name) }
    package static func isPPC64(_ name: String) -> Bool { name == "ppc64" || name == "ppc64le" }
    package static func isRISCV(_ name: String) -> Bool { name == "riscv64" || name == "riscv32" }

    /// Bits of a machine word.
    package static func wordSize(_ name: String) -> Int {
        let wide = [
            "alpha", "aarch64", "ia64", "mips64", "mips64el", "parisc64", "ppc64", "ppc64le", "riscv64", "s390x",
            "sparc64", "x86_64",
        ]
        return wide.contains(name) ? 64 : 32
    }
}
