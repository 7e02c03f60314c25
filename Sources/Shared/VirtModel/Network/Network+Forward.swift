import VirtXML

extension Network {
    /// How guests reach the outside (`<forward>`).
    package struct Forward: Equatable, Sendable {
        package enum Mode: String, XMLEnum, CaseIterable {
            case nat, route, open, bridge, `private`, vepa, passthrough, hostdev

            /// Whether libvirt makes the bridge, serves addresses and (except for `open`) filters.
            package var isManaged: Bool {
                switch self {
                case .nat, .route, .open: true
                case .bridge, .private, .vepa, .passthrough, .hostdev: false
                }
            }
        }

        package enum Driver: String, XMLEnum, CaseIterable { case kvm, vfio }

        package var mode = Mode.nat
        /// Of mode `hostdev`: libvirt detaches the devices from the host itself.
        package var isManaged = false
        package var driver: Driver?
        package var nat: NAT?
        /// The physical function whose virtual functions are the pool.
        package var physicalFunction: String?
        /// The host's devices that forward, or the pool that interfaces are taken from.
        package var devices: [Device] = []

        package init() {}

        /// The network device that rules are limited to.
        package var firstInterface: String? {
            guard case .interface(let name) = devices.first?.kind else { return nil }
            return name
        }
    }

    /// What addresses and ports connections are translated to.
    package struct NAT: Equatable, Sendable {
        package var ipv6: Bool?
        package var range: AddressRange?
        package var ports: PortRange?

        package init() {}
    }

    package struct PortRange: Equatable, Sendable {
        package var start: UInt32
        package var end: UInt32

        package init(start: UInt32, end: UInt32) {
            self.start = start
            self.end = end
        }
    }

    /// A device of the pool, with the number of interfaces that use it now.
    package struct Device: Equatable, Sendable {
        package enum Kind: Equatable, Sendable {
            case interface(String)
            case pci(PCIAddress)
        }

        package var kind: Kind
        package var connections = 0

        package init(_ kind: Kind) { self.kind = kind }
    }

    /// The address of a PCI device of the host.
    package struct PCIAddress: Hashable, Sendable, CustomStringConvertible {
        package var domain: UInt32 = 0
        package var bus: UInt32 = 0
        package var slot: UInt32 = 0
        package var function: UInt32 = 0

        package init() {}

        /// As sysfs names the device: `0000:03:00.1`.
        package var description: String {
            hexadecimal(domain, 4) + ":" + hexadecimal(bus, 2) + ":" + hexadecimal(slot, 2) + "."
                + hexadecimal(function, 1)
        }
    }
}

/// A number in hexadecimal digits, with zeros in front up to a width.
func hexadecimal(_ value: UInt32, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
