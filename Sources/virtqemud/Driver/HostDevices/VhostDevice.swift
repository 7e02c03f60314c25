import Glibc
import VirtCore
import VirtOS

/// Devices of the kernel that serve a guest's device directly. All of it blocks.
enum VhostDevice {
    /// The kernel's SCSI target.
    static func openSCSI(_ path: String = "/dev/vhost-scsi") throws(VirtError) -> DescriptorBox {
        guard FileSystem.exists(path) else {
            throw VirtError(.configUnsupported, .none, "vhost-scsi device file '\(path)' cannot be found")
        }
        return try open(path, "Failed to open \(path)")
    }

    /// A device of virtio data path acceleration.
    static func openVDPA(_ path: String) throws(VirtError) -> DescriptorBox {
        let file = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { throw .system(errno, .qemu, "Unable to open '\(path)' for vdpa device") }
        return DescriptorBox(OwnedDescriptor(file))
    }

    private static func open(_ path: String, _ failure: String) throws(VirtError) -> DescriptorBox {
        let file = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { throw .system(errno, .none, failure) }
        return DescriptorBox(OwnedDescriptor(file))
    }

    // MARK: Sockets between guest and host

    /// The numbers below are the host's own.
    private static let firstGuestCID: UInt32 = 3
    /// VHOST_VSOCK_SET_GUEST_CID of linux/vhost.h.
    private static let setGuestCID: UInt = 0x4008_AF60

    /// Opens a guest's end and takes a number for it: the given one, or the first that is free.
    static func openVSock(
        cid wanted: UInt32?, _ path: String = "/dev/vhost-vsock"
    ) throws(VirtError) -> (descriptor: DescriptorBox, cid: UInt32) {
        let file = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { throw VirtError(.configUnsupported, .qemu, "unable to open vhost-vsock device") }
        let box = DescriptorBox(OwnedDescriptor(file))
        if let wanted {
            guard set(wanted, file) else { throw .system(errno, .none, "unable to set guest cid") }
            return (box, wanted)
        }
        var cid = firstGuestCID
        while !set(cid, file) {
            guard errno == EADDRINUSE, cid < UInt32.max else {
                throw .system(errno, .none, "unable to acquire guest cid")
            }
            cid += 1
        }
        return (box, cid)
    }

    private static func set(_ cid: UInt32, _ file: Int32) -> Bool {
        var value = UInt64(cid)
        return unsafe ioctl(file, setGuestCID, &value) == 0
    }
}
