import VirtCore
import VirtModel

/// The arguments that qemu-img is run with, as libvirt writes them. Pure.
enum QemuImg {
    /// A secret handed to qemu-img in a file.
    struct Secret: Equatable, Sendable {
        var alias: String
        var file: String

        init(volume: String, file: String) {
            alias = volume + "_encrypt0"
            self.file = file
        }

        var object: [String] { ["--object", "secret,id=\(alias),file=\(QemuImg.escaped(file))"] }
    }

    /// How the clusters of a new qcow2 image are laid out in advance.
    enum Preallocation: String, Sendable { case metadata, falloc }

    /// Makes an empty image.
    static func create(
        _ volume: StorageVolume, preallocates: Bool, secret: Secret? = nil
    ) throws(VirtError) -> [String] {
        var arguments = ["create", "-f", try toolFormat(volume)]
        if let backing = volume.backing { arguments += ["-b", backing.path] }
        arguments += secret?.object ?? []
        arguments += try options(volume, preallocates: preallocates, secret)
        arguments.append(volume.target.path)
        let capacity = volume.capacity ?? 0
        if capacity != 0 || volume.backing == nil { arguments.append("\(kibibytes(capacity))K") }
        return arguments
    }

    /// Copies an image into a new one.
    static func convert(
        _ source: StorageVolume, into volume: StorageVolume, preallocates: Bool
    ) throws(VirtError) -> [String] {
        try checkCopy(source, volume)
        try check(volume, preallocates: preallocates)
        var arguments = ["convert", "-f", toolFormat(source.target.format), "-O", try toolFormat(volume)]
        arguments += try options(volume.withoutBacking, preallocates: preallocates, nil)
        return arguments + [source.target.path, volume.target.path]
    }

    /// Copies an image into a new one where either is encrypted: the copy is made empty first, then filled.
    static func convertEncrypted(
        _ source: StorageVolume, _ sourceSecret: Secret?, into volume: StorageVolume, _ secret: Secret?,
        preallocates: Bool
    ) throws(VirtError) -> [[String]] {
        if let encryption = source.target.encryption, encryption.format != .luks {
            throw unsupported("encryption format of inputvol must be LUKS")
        }
        try checkCopy(source, volume)
        try check(volume, preallocates: preallocates)
        var arguments = ["convert", "--image-opts", "-n", "--target-image-opts"]
        arguments += secret?.object ?? []
        arguments += sourceSecret?.object ?? []
        arguments += [try image(source, sourceSecret), try image(volume, secret)]
        return [try create(volume.withoutBacking, preallocates: preallocates, secret: secret), arguments]
    }

    /// A copy holds all of the content: it may name its origin's backing image but does not need it.
    private static func checkCopy(_ source: StorageVolume, _ volume: StorageVolume) throws(VirtError) {
        if source.target.path.isEmpty {
            throw VirtError(.invalidArg, .storage, "missing input volume target path")
        }
        if let backing = volume.backing, backing.path != source.backing?.path {
            throw VirtError(.internalError, .storage, "a different backing store cannot be specified.")
        }
    }

    /// An image as QEMU opens it.
    private static func image(_ volume: StorageVolume, _ secret: Secret?) throws(VirtError) -> String {
        let image = "driver=\(try toolFormat(volume)),file.filename=\(escaped(volume.target.path))"
        guard let secret else { return image }
        return image + ",\(volume.target.format == .qcow2 ? "encrypt." : "")key-secret=\(secret.alias)"
    }

    /// Changes an image's capacity, which counts whole sectors.
    static func resize(_ path: String, capacity: UInt64, shrinks: Bool) -> [String] {
        ["resize"] + (shrinks ? ["--shrink"] : []) + [path, "\(sectors(capacity))"]
    }

    /// The same for an image of LUKS format, which is opened with its secret.
    static func resizeLUKS(_ path: String, capacity: UInt64, shrinks: Bool, _ secret: Secret) -> [String] {
        let image = "driver=luks,key-secret=\(secret.alias),file.filename=\(escaped(path))"
        return ["resize"] + (shrinks ? ["--shrink"] : []) + secret.object
            + ["--image-opts", image, "\(sectors(capacity))"]
    }

    /// A capacity in bytes rounded up to whole sectors.
    static func sectors(_ capacity: UInt64) -> UInt64 {
        let (sum, overflow) = capacity.addingReportingOverflow(511)
        return overflow ? capacity & ~511 : sum & ~511
    }

    // MARK: Parts

    /// qemu-img's name of a format; optical discs are raw to it.
    private static func toolFormat(_ format: StorageFileFormat) -> String {
        format == .iso ? StorageFileFormat.raw.rawValue : format.rawValue
    }

    /// Raw images that are encrypted are made as LUKS.
    private static func toolFormat(_ volume: StorageVolume) throws(VirtError) -> String {
        guard let encryption = volume.target.encryption else { return toolFormat(volume.target.format) }
        let isQcow = volume.target.format == .qcow || volume.target.format == .qcow2
        if isQcow, encryption.format == .qcow || encryption.format == .default {
            throw unsupported("creation of qcow2 encrypted image is not supported")
        }
        switch volume.target.format {
        case .raw:
            guard encryption.format == .luks || encryption.format == .default else {
                throw VirtError(.internalError, .storage, "Only luks encryption is supported for raw files")
            }
            return "luks"
        case .qcow2: return "qcow2"
        default:
            throw VirtError(
                .configUnsupported, .storage,
                "volume encryption unsupported with format \(volume.target.format.rawValue)")
        }
    }

    private static func options(
        _ volume: StorageVolume, preallocates: Bool, _ secret: Secret?
    ) throws(VirtError) -> [String] {
        try check(volume, preallocates: preallocates)
        var parts: [String] = []
        if volume.target.noCopyOnWrite { parts.append("nocow=on") }
        if let backing = volume.backing { parts.append("backing_fmt=\(backing.format.rawValue)") }
        if let secret { parts += encryption(volume, secret) }
        if preallocates { parts.append("preallocation=\(preallocation(volume).rawValue)") }
        if volume.target.format == .qcow2 { parts += level(volume) }
        return parts.isEmpty ? [] : ["-o", parts.joined(separator: ",")]
    }

    private static func check(_ volume: StorageVolume, preallocates: Bool) throws(VirtError) {
        let target = volume.target
        if target.format != .qcow2 {
            if preallocates { throw unsupported("metadata preallocation only available with qcow2") }
            if target.compat != nil { throw unsupported("compatibility option only available with qcow2") }
            if target.features != nil { throw unsupported("format features only available with qcow2") }
        }
        if volume.backing != nil, preallocates {
            throw unsupported("metadata preallocation conflicts with backing store")
        }
        guard let features = target.features, level(of: volume) == "0.10" else { return }
        if features.contains(.lazyRefcounts) {
            throw unsupported("lazy_refcounts not supported with compat level \(level(of: volume))")
        }
        if features.contains(.extendedL2) {
            throw unsupported("'extended_l2' not supported with compat level \(level(of: volume))")
        }
    }

    private static func level(of volume: StorageVolume) -> String { volume.target.compat ?? "0.10" }

    private static func level(_ volume: StorageVolume) -> [String] {
        var parts = ["compat=\(level(of: volume))"]
        if volume.target.clusterSize > 0 { parts.append("cluster_size=\(volume.target.clusterSize)") }
        let features = volume.target.features ?? []
        if features.contains(.lazyRefcounts) { parts.append("lazy_refcounts") }
        if features.contains(.extendedL2) { parts.append("extended_l2=on") }
        return parts
    }

    private static func preallocation(_ volume: StorageVolume) -> Preallocation {
        guard let capacity = volume.capacity, let allocation = volume.allocation else { return .falloc }
        return allocation >= capacity ? .falloc : .metadata
    }

    private static func encryption(_ volume: StorageVolume, _ secret: Secret) -> [String] {
        let prefix = volume.target.format == .qcow2 ? "encrypt." : ""
        var parts = prefix.isEmpty ? [] : ["encrypt.format=luks"]
        parts.append("\(prefix)key-secret=\(secret.alias)")
        guard let encryption = volume.target.encryption else { return parts }
        if let cipher = encryption.cipher {
            parts.append("\(prefix)cipher-alg=\(escaped(cipher.name))-\(cipher.size)")
            if let mode = cipher.mode { parts.append("\(prefix)cipher-mode=\(escaped(mode))") }
            if let hash = cipher.hash { parts.append("\(prefix)hash-alg=\(escaped(hash))") }
        }
        if let generator = encryption.generator {
            parts.append("\(prefix)ivgen-alg=\(escaped(generator.name))")
            if let hash = generator.hash { parts.append("\(prefix)ivgen-hash-alg=\(escaped(hash))") }
        }
        return parts
    }

    /// QEMU's option lists double their commas.
    static func escaped(_ text: String) -> String {
        text.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
    }

    private static func kibibytes(_ bytes: UInt64) -> UInt64 { bytes / 1024 + (bytes % 1024 == 0 ? 0 : 1) }

    private static func unsupported(_ text: String) -> VirtError { VirtError(.configUnsupported, .storage, text) }
}

extension StorageVolume {
    /// The volume standing by itself.
    var withoutBacking: StorageVolume {
        var copy = self
        copy.backing = nil
        return copy
    }
}
