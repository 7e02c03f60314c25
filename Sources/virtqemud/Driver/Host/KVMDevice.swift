import CLinux
import Glibc
import VirtCore
import VirtOS

/// What the host's KVM says of itself.
enum KVMDevice {
    /// How many processors a guest may have. Blocks: for a `BlockingPool`.
    static func maximumVCPUs() throws(VirtError) -> Int32 {
        let descriptor = unsafe open("/dev/kvm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw VirtError.system(errno, .none, "Unable to open /dev/kvm") }
        let device = OwnedDescriptor(descriptor)
        // KVM_CAP_MAX_VCPUS, else what it recommends (KVM_CAP_NR_VCPUS).
        for capability: Int32 in [66, 9] {
            let count = clinux_kvm_extension(device.rawValue, capability)
            if count > 0 { return count }
        }
        return 4
    }
}
