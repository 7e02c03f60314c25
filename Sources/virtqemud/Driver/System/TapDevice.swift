import CLinux
import Glibc
import Synchronization
import VirtCore
import VirtOS

/// A host interface whose other end is a guest's network card. It lives as long as somebody holds its descriptor.
enum TapDevice {
    private static let next = Atomic<UInt32>(0)

    /// No `vnetN` below that of a guest from before is handed out again.
    static func reserve(_ name: String) {
        guard name.hasPrefix("vnet"), let number = UInt32(name.dropFirst(4)), number < .max else { return }
        _ = next.max(number + 1, ordering: .relaxed)
    }

    /// Makes a tap device, gives it the host's side of the guest's address, and starts it.
    ///
    /// - Parameter wanted: a name that the definition asks for; nil takes the next `vnetN`.
    static func make(_ wanted: String?, mac: [UInt8], mtu: UInt32?) throws(VirtError) -> (name: String, DescriptorBox) {
        let (name, descriptor) = try open(wanted)
        var hostSide = mac
        if !hostSide.isEmpty { hostSide[0] = 0xFE }
        if hostSide.count == 6 {
            let result = unsafe clinux_link_set_mac(name, hostSide)
            guard result >= 0 else { throw .system(-result, .none, "Cannot set interface MAC on '\(name)'") }
        }
        if let mtu, mtu <= UInt32(Int32.max) { _ = unsafe clinux_link_set_mtu(name, Int32(mtu)) }
        return (name, descriptor)
    }

    /// Plugs it into a bridge and sets it going.
    static func attach(_ name: String, bridge: String?, up: Bool) throws(VirtError) {
        if let bridge {
            let result = unsafe clinux_bridge_add(bridge, name)
            guard result >= 0 else {
                throw .system(-result, .none, "Unable to add bridge \(bridge) port \(name)")
            }
        }
        let result = unsafe clinux_link_set_up(name, up)
        guard result >= 0 else { throw .system(-result, .none, "Cannot set interface flags on '\(name)'") }
    }

    private static func open(_ wanted: String?) throws(VirtError) -> (String, DescriptorBox) {
        for _ in 0..<1000 {
            let name = wanted ?? "vnet\(next.wrappingAdd(1, ordering: .relaxed).oldValue)"
            guard name.utf8.count < 16 else {
                throw VirtError(.internalError, .qemu, "interface name '\(name)' is too long")
            }
            var buffer = [CChar](repeating: 0, count: 17)
            for (index, byte) in name.utf8.enumerated() { buffer[index] = CChar(bitPattern: byte) }
            let descriptor = unsafe clinux_tap_open(&buffer, false)
            if descriptor >= 0 {
                let given = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                return (given, DescriptorBox(OwnedDescriptor(descriptor)))
            }
            if wanted == nil, descriptor == -EBUSY { continue }
            throw .system(-descriptor, .none, "Unable to create tap device \(name)")
        }
        throw VirtError(.internalError, .qemu, "Unable to find a free name for a tap device")
    }
}
