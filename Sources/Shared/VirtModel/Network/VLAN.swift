import VirtXML

/// The VLAN tags of an interface or a network (`<vlan>`).
package struct VLAN: Equatable, Sendable {
    /// How untagged frames and those of the native tag are treated.
    package enum NativeMode: String, XMLEnum, CaseIterable { case tagged, untagged }

    package var isTrunk = false
    package var tags: [UInt32] = []
    package var nativeTag: UInt32?
    package var nativeMode: NativeMode?

    package init() {}
}
