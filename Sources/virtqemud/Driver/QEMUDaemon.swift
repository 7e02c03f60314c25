import QEMUCommand
import VirtCore
package import VirtDaemon
package import VirtRPC
import VirtWire

/// virtqemud, as its main describes it.
package struct QEMUDaemon {
    package static let description = DaemonDescription(
        name: "virtqemud", title: "libvirt QEMU management daemon",
        routes: { .secondary(runDirectory: $0.runLibvirt) },
        makeDriver: { try await QEMUDriver($0) })
}

extension QEMUDriver {
    /// What connectSupportsFeature says yes to (VIR_DRV_FEATURE_*): migration v2 and v3, peer-to-peer, change protection,
    /// descriptor passing, string parameters, migratable XML, offline migration, migration parameters, network updates.
    private static let features: Set<Int32> = [1, 4, 5, 7, 8, 9, 11, 12, 13, 16]

    package func handlerTables() -> [HandlerTable] {
        var remote = HandlerTable(RemoteProgram.description)
        let options = ConnectionOptions(
            scheme: "qemu", type: "QEMU", features: Self.features, acceptsSessionPath: true,
            version: { [self] in try await hypervisorVersion() })
        RemoteConnectionHandlers.install(into: &remote, options)
        LookupHandlers.install(into: &remote, driver: self)
        DefinitionHandlers.install(into: &remote, driver: self)
        LifecycleHandlers.install(into: &remote, driver: self)
        InfoHandlers.install(into: &remote, driver: self)
        XMLHandlers.install(into: &remote, driver: self)
        EventHandlers.install(into: &remote, driver: self)
        StatsHandlers.install(into: &remote, driver: self)
        ProcessorHandlers.install(into: &remote, driver: self)
        MetadataHandlers.install(into: &remote, driver: self)
        TuningHandlers.install(into: &remote, driver: self)
        StreamHandlers.install(into: &remote, driver: self)
        HostHandlers.install(into: &remote, driver: self)
        CapabilityHandlers.install(into: &remote, driver: self)
        CPUHandlers.install(into: &remote, driver: self)
        DeviceHandlers.install(into: &remote, driver: self)
        SaveHandlers.install(into: &remote, driver: self)
        InputHandlers.install(into: &remote, driver: self)
        BlockHandlers.install(into: &remote, driver: self)
        PeekHandlers.install(into: &remote, driver: self)
        BlockJobHandlers.install(into: &remote, driver: self)
        CheckpointHandlers.install(into: &remote, driver: self)
        BackupHandlers.install(into: &remote, driver: self)
        InterfaceHandlers.install(into: &remote, driver: self)
        AgentHandlers.install(into: &remote, driver: self)
        AddressHandlers.install(into: &remote, driver: self)
        MigrationHandlers.install(into: &remote, driver: self)
        SnapshotHandlers.install(into: &remote, driver: self)
        ThreadHandlers.install(into: &remote, driver: self)
        var qemu = HandlerTable(QemuProgram.description)
        MonitorHandlers.install(into: &qemu, driver: self)
        EventHandlers.installMonitor(into: &qemu, driver: self)
        return [remote, qemu]
    }

    private func hypervisorVersion() async throws -> UInt64 {
        UInt64(try await capabilities.facts(of: try Emulators.standard(arch: Emulators.hostArch)).version)
    }
}
