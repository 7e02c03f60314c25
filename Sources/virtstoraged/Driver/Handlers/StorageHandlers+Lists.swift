import VirtCore
import VirtModel
import VirtRPC
import VirtWire

extension StorageHandlers {
    private static let largestPoolList: Int32 = 4096

    func installLists(into table: inout HandlerTable) {
        let (registry, backends) = (driver.registry, driver.backends)
        table.on(RemoteProgram.ConnectNumOfStoragePools.self) { _, _ in
            RemoteConnectNumOfStoragePoolsRet(num: Int32(clamping: Self.names(registry, active: true).count))
        }
        table.on(RemoteProgram.ConnectNumOfDefinedStoragePools.self) { _, _ in
            RemoteConnectNumOfDefinedStoragePoolsRet(num: Int32(clamping: Self.names(registry, active: false).count))
        }
        table.on(RemoteProgram.ConnectListStoragePools.self) { arguments, _ in
            let names = Self.names(registry, active: true)
            return RemoteConnectListStoragePoolsRet(
                names: try Self.limit(names, arguments.maxnames, "pools", Self.largestPoolList))
        }
        table.on(RemoteProgram.ConnectListDefinedStoragePools.self) { arguments, _ in
            let names = Self.names(registry, active: false)
            return RemoteConnectListDefinedStoragePoolsRet(
                names: try Self.limit(names, arguments.maxnames, "pools", Self.largestPoolList))
        }
        table.on(RemoteProgram.ConnectListAllStoragePools.self) { arguments, _ in
            try StorageFlag.check(arguments.flags, allowed: 0xF_FFFF, "storageConnectListAllStoragePools")
            let found = registry.all.filter { PoolFilter(arguments.flags).selects($0.snapshot) }
            return RemoteConnectListAllStoragePoolsRet(
                pools: arguments.needResults != 0 ? found.map { Self.wire($0) } : [], ret: UInt32(clamping: found.count)
            )
        }
        table.on(RemoteProgram.ConnectGetStoragePoolCapabilities.self) { arguments, _ in
            try StorageFlag.check(arguments.flags, allowed: 0, "storageConnectGetStoragePoolCapabilities")
            return RemoteConnectGetStoragePoolCapabilitiesRet(
                capabilities: try StoragePoolCapabilities(supported: backends.types).format())
        }
        table.onAsync(RemoteProgram.ConnectFindStoragePoolSources.self) { arguments, _ in
            try StorageFlag.check(arguments.flags, allowed: 0, "storageConnectFindStoragePoolSources")
            guard let type = StoragePoolType(rawValue: arguments.type) else {
                throw VirtError(.internalError, .storage, "unknown storage pool type \(arguments.type)")
            }
            return RemoteConnectFindStoragePoolSourcesRet(
                xml: try await backends.backend(type).findSources(arguments.srcSpec))
        }
    }

    private static func names(_ registry: PoolRegistry, active: Bool) -> [String] {
        registry.all.filter { $0.snapshot.isActive == active }.map { $0.name }
    }
}

/// The flags of virConnectListAllStoragePools: of each group of bits, none or all mean any.
struct PoolFilter: Sendable {
    private let flags: UInt32

    init(_ flags: UInt32) { self.flags = flags }

    func selects(_ state: PoolState) -> Bool {
        let types = flags & 0xF_FFC0
        return matches(no: 1, yes: 2, state.isActive) && matches(no: 8, yes: 4, state.isPersistent)
            && matches(no: 32, yes: 16, state.isAutostart)
            && (types == 0 || types & Self.bit(state.definition.type) != 0)
    }

    private func matches(no: UInt32, yes: UInt32, _ value: Bool) -> Bool {
        flags & (no | yes) == 0 || flags & (value ? yes : no) != 0
    }

    private static func bit(_ type: StoragePoolType) -> UInt32 {
        switch type {
        case .dir: 1 << 6
        case .fs: 1 << 7
        case .netfs: 1 << 8
        case .logical: 1 << 9
        case .disk: 1 << 10
        case .iscsi: 1 << 11
        case .scsi: 1 << 12
        case .mpath: 1 << 13
        case .rbd: 1 << 14
        case .sheepdog: 1 << 15
        case .gluster: 1 << 16
        case .zfs: 1 << 17
        case .vstorage: 1 << 18
        case .iscsiDirect: 1 << 19
        }
    }
}
