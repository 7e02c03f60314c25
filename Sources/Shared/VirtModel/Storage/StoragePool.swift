package import VirtCore
import VirtXML

/// A storage pool's definition (`<pool>`).
package struct StoragePool: Equatable, Sendable {
    package var type = StoragePoolType.dir
    package var name = ""
    package var uuid = UUID.zero
    /// Whether new volumes may be copied on write (`<features><cow state=''/>`).
    package var copyOnWrite: StorageSwitch?
    /// Bytes; known while the pool is active.
    package var capacity: UInt64 = 0
    package var allocation: UInt64 = 0
    package var available: UInt64 = 0
    package var source = Source()
    /// Where the volumes are found; empty for pools of the network.
    package var targetPath = ""
    package var permissions = StoragePermissions()
    /// How a volume's allocation is found out on refresh.
    package var refreshAllocation: RefreshAllocation?
    /// Options added to mount's (the `fs` namespace).
    package var mountOptions: [String] = []

    package init() {}

    package enum RefreshAllocation: String, StorageEnum {
        case `default`, capacity
    }

    /// Where a pool's space comes from.
    package struct Source: Equatable, Sendable {
        package var hosts: [Host] = []
        package var devices: [Device] = []
        package var directory: String?
        package var adapter: StorageAdapter?
        package var name: String?
        package var initiator: String?
        package var format: String?
        package var auth: StoragePoolAuth?
        package var vendor: String?
        package var product: String?
        package var protocolVersion: String?

        package init() {}
    }

    package struct Host: Equatable, Sendable {
        package var name: String?
        package var port: Int32?
        package init() {}
    }

    package struct Device: Equatable, Sendable {
        package var path: String?
        package var partSeparator: StorageSwitch?
        package init() {}
    }
}
