package import VirtCore
import VirtXML

/// A guest interface's connection to a network (`<networkport>`).
package struct NetworkPort: Equatable, Sendable {
    /// What the interface is plugged into.
    package enum Plug: Equatable, Sendable {
        case none
        case network(bridge: String, macTableManager: Network.Bridge.MACTableManager?)
        case bridge(String, macTableManager: Network.Bridge.MACTableManager?)
        case direct(device: String, mode: DirectMode)
        case hostdev(address: Network.PCIAddress, driver: Network.Forward.Driver?, isManaged: Bool)
    }

    /// The modes of macvtap.
    package enum DirectMode: String, XMLEnum, CaseIterable { case vepa, `private`, bridge, passthrough }

    package var uuid = UUID.zero
    package var ownerName = ""
    package var ownerUUID = UUID.zero
    package var group: String?
    package var mac = MACAddress.random()
    package var virtualPort: VirtualPort?
    package var bandwidth: Bandwidth?
    /// The traffic class that a guaranteed rate got. Zero: none.
    package var classID: UInt32 = 0
    package var vlan: VLAN?
    package var isIsolated: Bool?
    package var trustsGuestReceiveFilters: Bool?
    package var plug = Plug.none

    package init() {}
}
