import Synchronization
import VirtCore

/// Which guest has which device of the host: none is given away twice.
final class HostDeviceClaims: Sendable {
    /// A device as libvirt's messages name it.
    struct Device: Hashable, Sendable {
        let kind: String
        let name: String

        static func pci(_ address: String) -> Device { Device(kind: "PCI", name: address) }

        static func usb(bus: UInt32, number: UInt32) -> Device {
            func three(_ value: UInt32) -> String {
                let digits = String(value, radix: 8)
                return String(repeating: "0", count: max(0, 3 - digits.utf8.count)) + digits
            }
            return Device(kind: "USB", name: "\(three(bus)):\(three(number))")
        }
    }

    private struct Owner {
        let guest: String
        /// The device was with the guests' driver before, and stays there.
        var keepsDriver = false
    }

    private let owners = Mutex<[Device: Owner]>([:])

    /// Notes a guest's device, or throws because another one has it.
    func claim(_ device: Device, for guest: String) throws(VirtError) {
        let owner = owners.withLock { owners -> String? in
            if let owner = owners[device] { return owner.guest == guest ? nil : owner.guest }
            owners[device] = Owner(guest: guest)
            return nil
        }
        guard let owner else { return }
        throw VirtError(
            .operationInvalid, .none,
            "\(device.kind) device \(device.name) is in use by driver QEMU, domain \(owner)")
    }

    /// The host's driver did not have the device.
    func keepDriver(_ device: Device) { owners.withLock { $0[device]?.keepsDriver = true } }

    /// Gives a guest's device up. True: the host's driver is to have it again.
    @discardableResult
    func release(_ device: Device, of guest: String) -> Bool {
        owners.withLock { owners in
            guard let owner = owners[device], owner.guest == guest else { return false }
            owners[device] = nil
            return !owner.keepsDriver
        }
    }
}
