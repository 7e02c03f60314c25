import Glibc
import VirtCore
import VirtOS

/// Takes PCI devices from the host's drivers for a guest, and gives them back. What is not async blocks.
struct PCIAssignment: Sendable {
    /// Where sysfs is.
    var sysfs = "/sys"

    /// The driver that gives devices to guests.
    static let guestDriver = "vfio-pci"

    /// Throws where the host has no such device.
    func require(_ address: String) throws(VirtError) {
        let path = "\(directory(address))/config"
        guard unsafe access(path, F_OK) != 0 else { return }
        throw .system(errno, .none, "Device \(address) not found: could not access \(path)")
    }

    /// The driver that has a device now.
    func driver(of address: String) -> String? {
        FileSystem.linkTarget("\(directory(address))/driver").flatMap { $0.split(separator: "/").last.map(String.init) }
    }

    /// What QEMU opens of a device: the group of devices that are only given away together.
    func groupDevice(of address: String) -> String? {
        Self.groupDevice(at: "\(directory(address))/iommu_group")
    }

    /// The same for a mediated device.
    func groupDevice(ofMediated uuid: UUID) -> String? {
        Self.groupDevice(at: "\(sysfs)/bus/mdev/devices/\(uuid)/iommu_group")
    }

    private static func groupDevice(at link: String) -> String? {
        FileSystem.linkTarget(link).flatMap { $0.split(separator: "/").last }.map { "/dev/vfio/\($0)" }
    }

    /// Has the kernel load the guests' driver where it is not there yet.
    func requireGuestDriver(_ module: KernelModule = KernelModule(name: guestDriver)) async throws {
        let directory = "\(sysfs)/bus/pci/drivers/\(Self.guestDriver)"
        if FileSystem.isDirectory(directory) { return }
        await module.load()
        if FileSystem.isDirectory(directory) { return }
        let reason = await module.isProhibited() ? ": administratively prohibited" : ""
        throw VirtError(.internalError, .none, "Failed to load PCI stub module \(module.name)\(reason)")
    }

    /// Hands a device to the guests' driver, which must be there. True: another driver, or none, had it before.
    func detach(_ address: String) throws(VirtError) -> Bool {
        try require(address)
        if driver(of: address) == Self.guestDriver { return false }
        try bind(address, to: Self.guestDriver)
        guard driver(of: address) == Self.guestDriver else {
            try bind(address, to: "\n")
            throw VirtError(
                .internalError, .none, "Failed to bind PCI device '\(address)' to driver '\(Self.guestDriver)'")
        }
        return true
    }

    /// Lets the host's driver have a device again.
    func reattach(_ address: String) throws(VirtError) {
        guard driver(of: address) == Self.guestDriver else { return }
        try bind(address, to: "\n")
    }

    private func bind(_ address: String, to driver: String) throws(VirtError) {
        let directory = directory(address)
        let name = driver == "\n" ? "" : driver
        try write(
            driver, to: "\(directory)/driver_override",
            "Failed to add driver '\(name)' to driver_override  interface of PCI device '\(address)'")
        if self.driver(of: address) != nil {
            try write(
                address, to: "\(directory)/driver/unbind", "Failed to unbind PCI device '\(address)' from its driver")
        }
        try write(
            address, to: "\(sysfs)/bus/pci/drivers_probe", "Failed to trigger a probe for PCI device '\(address)'")
    }

    private func directory(_ address: String) -> String { "\(sysfs)/bus/pci/devices/\(address)" }

    private func write(_ text: String, to path: String, _ failure: String) throws(VirtError) {
        let file = unsafe Glibc.open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw .system(errno, .none, failure) }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else { throw .system(errno, .none, failure) }
    }
}
