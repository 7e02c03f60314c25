import CLinux
import Glibc
package import QEMUCommand
import VirtCore
import VirtOS

/// What facts about a QEMU depend on outside of its binary.
package struct HostFacts: Sendable, Equatable {
    /// ctime of the daemon's own binary.
    package var selfTime: Int64
    /// A cache file of C libvirt's counts as long as its daemon is the one that is installed.
    var installed: InstalledLibvirt
    /// mtime of QEMU's directory of modules; nil where there is none.
    package var modulesTime: Int64?
    package var kvmUsable: Bool
    package var kernelVersion: String
    package var microcodeVersion: UInt32
    package var cpuSignature: String?
    package var supportsNesting: Bool
    package var supportsSecureGuest: Bool
    package var architecture: String

    /// libvirt's version whose rules the facts follow.
    package static let libvirtVersion: UInt64 = 9_000_000
    private static let modulesDirectory = "/usr/lib/\(InstalledLibvirt.multiarch)/qemu"

    /// Looks at the running host. Blocks: for a `BlockingPool`.
    package static func current() -> HostFacts {
        var name = utsname()
        unsafe uname(&name)
        let cpu = ProcessorFile.read()
        return HostFacts(
            selfTime: changeTime("/proc/self/exe") ?? 0,
            installed: .find(),
            modulesTime: modificationTime(modulesDirectory),
            kvmUsable: unsafe access("/dev/kvm", R_OK | W_OK) == 0,
            kernelVersion: "\(string(name.release)) \(string(name.version))",
            microcodeVersion: cpu.microcode, cpuSignature: cpu.signature, supportsNesting: nesting,
            supportsSecureGuest: false, architecture: string(name.machine))
    }

    /// Whether facts that were gathered earlier still hold.
    package func confirm(_ facts: QEMUCapabilities, binaryTime: Int64) -> Bool {
        let origin = facts.origin
        let isSelfUnchanged =
            if let own = origin.proberTime { own == selfTime } else { installed.times.contains(origin.selfTime) }
        guard isSelfUnchanged, origin.selfVersion == Self.libvirtVersion, origin.binaryTime == binaryTime,
            modulesTime == nil || modulesTime == origin.modulesTime
        else { return false }
        guard Architecture.isNative(facts.architecture, host: architecture) else { return true }
        guard facts.has(.kvm) else { return !kvmUsable }
        return kvmUsable && origin.hostCPUSignature == cpuSignature && origin.microcodeVersion == microcodeVersion
            && origin.kernelVersion == kernelVersion && origin.supportsNesting == supportsNesting
            && origin.supportsSecureGuest == supportsSecureGuest
    }

    /// Notes in freshly gathered facts what they depend on.
    package func sign(_ facts: inout QEMUCapabilities, binaryTime: Int64) {
        facts.origin.binaryTime = binaryTime
        facts.origin.modulesTime = modulesTime ?? 0
        facts.origin.selfTime = installed.selfTime ?? selfTime
        facts.origin.proberTime = selfTime
        facts.origin.selfVersion = Self.libvirtVersion
        guard facts.has(.kvm) else { return }
        facts.origin.hostCPUSignature = cpuSignature
        facts.origin.microcodeVersion = microcodeVersion
        facts.origin.kernelVersion = kernelVersion
        facts.origin.supportsNesting = supportsNesting
        facts.origin.supportsSecureGuest = supportsSecureGuest
    }

    static func changeTime(_ path: String) -> Int64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_ctim.tv_sec) : nil
    }

    private static func modificationTime(_ path: String) -> Int64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_mtim.tv_sec) : nil
    }

    private static var nesting: Bool {
        ["kvm_intel", "kvm_amd", "kvm_hv", "kvm"].contains { module in
            guard let value = try? FileSystem.read("/sys/module/\(module)/parameters/nested", limit: 64) else {
                return false
            }
            return [UInt8(ascii: "1"), UInt8(ascii: "Y"), UInt8(ascii: "y")].contains(value.first ?? 0)
        }
    }

    private static func string<T>(_ tuple: T) -> String {
        unsafe withUnsafeBytes(of: tuple) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// What /proc/cpuinfo says of the first processor.
struct ProcessorFile {
    var microcode: UInt32 = 0
    var signature: String?
    var megahertz: UInt32 = 0

    static func read() -> ProcessorFile {
        guard let bytes = try? FileSystem.read("/proc/cpuinfo") else { return ProcessorFile() }
        return ProcessorFile(parsing: String(decoding: bytes, as: UTF8.self))
    }

    init() {}

    init(parsing text: String) {
        var fields: [Substring: Substring] = [:]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty { break }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            fields[Self.trim(parts[0])] = Self.trim(parts[1])
        }
        if let text = fields["microcode"], text.hasPrefix("0x") {
            microcode = UInt32(text.dropFirst(2), radix: 16) ?? 0
        }
        let names = ["vendor_id", "model name", "cpu family", "model", "stepping"]
        let parts = names.compactMap { fields[Substring($0)] }
        if parts.count == names.count {
            signature = "\(parts[0]), \(parts[1]), family: \(parts[2]), model: \(parts[3]), stepping: \(parts[4])"
        }
        megahertz = UInt32(fields["cpu MHz"]?.prefix { $0 != "." } ?? "") ?? 0
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
