import Glibc
package import VirtCore

/// Weights and rates of disks.
extension Cgroup {
    /// One rate of a block device.
    package enum Rate: Sendable {
        case readOperations, writeOperations, readBytes, writeBytes

        fileprivate var legacy: String {
            switch self {
            case .readOperations: "blkio.throttle.read_iops_device"
            case .writeOperations: "blkio.throttle.write_iops_device"
            case .readBytes: "blkio.throttle.read_bps_device"
            case .writeBytes: "blkio.throttle.write_bps_device"
            }
        }

        fileprivate var unified: String {
            switch self {
            case .readOperations: "riops"
            case .writeOperations: "wiops"
            case .readBytes: "rbps"
            case .writeBytes: "wbps"
            }
        }
    }

    /// The schedulers' files have names of their own; the first that is there counts.
    private func weightFile() -> (file: String, isUnified: Bool)? {
        guard let mount = hierarchy.mount(.blkio) else { return nil }
        let names = mount.isUnified ? ["io.bfq.weight", "io.weight"] : ["blkio.bfq.weight", "blkio.weight"]
        let file = names.lazy.map { "\(mount.point)\(path)/\($0)" }.first(where: FileSystem.exists)
        return file.map { ($0, mount.isUnified) }
    }

    package func weight() throws(VirtError) -> UInt32 {
        guard let (file, _) = weightFile() else { throw noWeights }
        // "100", or "default 100" and lines for devices.
        let first = try Self.read(file).split(separator: "\n").first ?? ""
        guard let weight = first.split(separator: " ").last.flatMap({ UInt32($0) }) else {
            throw VirtError(.internalError, .cgroup, "Unable to parse '\(first)' as an integer")
        }
        return weight
    }

    package func setWeight(_ weight: UInt32) throws(VirtError) {
        guard let (file, isUnified) = weightFile() else { throw noWeights }
        try Self.write(isUnified ? "default \(weight)" : "\(weight)", to: file)
    }

    package func setWeight(_ weight: UInt32, device path: String) throws(VirtError) {
        guard let (file, isUnified) = weightFile() else { throw noWeights }
        let place = isUnified ? file : file + "_device"
        guard FileSystem.exists(place) else { throw noDeviceWeights }
        try Self.write(
            "\(Self.number(ofDevice: path)) \(isUnified && weight == 0 ? "default" : "\(weight)")", to: place)
    }

    /// Sets a rate per second; 0 is none.
    package func setRate(_ rate: Rate, _ value: UInt64, device path: String) throws(VirtError) {
        guard let place = file(.blkio, rate.legacy, "io.max"), let mount = hierarchy.mount(.blkio) else {
            throw VirtError(.operationInvalid, .cgroup, "blkio cgroup isn't mounted")
        }
        let device = try Self.number(ofDevice: path)
        let limit = value == 0 && mount.isUnified ? "max" : "\(value)"
        try Self.write(mount.isUnified ? "\(device) \(rate.unified)=\(limit)" : "\(device) \(limit)", to: place)
    }

    private var noWeights: VirtError {
        VirtError(.operationInvalid, .cgroup, "blkio weight is valid only for bfq or cfq scheduler")
    }

    private var noDeviceWeights: VirtError {
        VirtError(.operationInvalid, .cgroup, "blkio device weight is valid only for cfq scheduler")
    }

    /// `8:16`.
    private static func number(ofDevice path: String) throws(VirtError) -> String {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw .system(errno, .none, "Path '\(path)' is not accessible")
        }
        guard status.st_mode & S_IFMT == S_IFBLK else {
            throw .system(EINVAL, .none, "Path '\(path)' must be a block device")
        }
        // makedev(3) as the C library has it.
        let (low, high) = (status.st_rdev & 0xFFFF_FFFF, status.st_rdev >> 32)
        let major = (low >> 8) & 0xFFF | (high & 0xFFFF_F000)
        let minor = low & 0xFF | (low >> 12) & 0xFFFFF00
        return "\(major):\(minor)"
    }
}
