import Glibc
import QEMUCommand
import Synchronization
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

/// What clients ask of the host itself. Everything here blocks: for a `BlockingPool`.
struct HostDescription: Sendable {
    /// What goes into the document from the driver's configuration.
    let securityModels: [HostCapabilities.SecurityModel]
    let uuid: UUID

    private static let maps = Mutex<[String: CPUMap]>([:])
    private static let mapDirectory = "/usr/share/libvirt/cpu_map"

    /// libvirt's list of models for an architecture; nil where it has none.
    static func map(for architecture: String) -> CPUMap? {
        let family: String
        if Architecture.isX86(architecture) {
            family = "x86"
        } else if Architecture.isPPC64(architecture) {
            family = "ppc64"
        } else {
            return nil
        }
        if let known = maps.withLock({ $0[family] }) { return known }
        guard let map = try? CPUMap(family: family, read: { try FileSystem.read("\(mapDirectory)/\($0)") }) else {
            return nil
        }
        maps.withLock { $0[family] = map }
        return map
    }

    /// The part of the document that describes the machine.
    func host(_ topology: HostTopology) -> HostCapabilities.Host {
        var host = HostCapabilities.Host()
        host.uuid = uuid
        host.cpu = Self.cpu(topology)
        host.hasIOMMU = !SysFile.names("/sys/kernel/iommu_groups").isEmpty
        host.cells = topology.cells.map(Self.cell)
        host.caches = topology.caches.map(Self.bank)
        host.securityModels = securityModels
        return host
    }

    private static func cpu(_ topology: HostTopology) -> HostCPU {
        var cpu = HostCPU()
        cpu.arch = HostFacts.current().architecture
        let file = ProcessorFile.read()
        cpu.microcode = file.microcode == 0 ? nil : file.microcode
        let shape = topology.shape
        var value = CPU.Topology()
        value.sockets = UInt32(clamping: shape.sockets)
        value.dies = UInt32(clamping: shape.dies)
        value.cores = UInt32(clamping: shape.cores)
        value.threads = UInt32(clamping: shape.threads)
        cpu.topology = value
        cpu.pages = (topology.cells.first?.pages ?? []).map { HostCPU.Pages(size: $0.size) }
        guard Architecture.isX86(cpu.arch), let map = map(for: cpu.arch) else { return cpu }
        let processor = HostProcessor.read(map)
        var signature = HostCPU.Signature()
        signature.family = processor.identity.family
        signature.model = processor.identity.model
        signature.stepping = processor.identity.stepping
        cpu.signature = signature
        if let bits = processor.physicalAddressBits {
            var address = CPU.PhysicalAddress()
            address.bits = bits
            cpu.physicalAddress = address
        }
        guard let described = map.describe(processor.features, processor.identity, for: .host) else { return cpu }
        cpu.model = described.model
        cpu.vendor = described.vendor
        cpu.features = described.required.map { HostCPU.Named($0) }
        return cpu
    }

    private static func cell(_ cell: HostTopology.Cell) -> HostCapabilities.Cell {
        var result = HostCapabilities.Cell()
        result.id = UInt32(clamping: cell.id)
        result.memory = cell.memory
        result.pages = cell.pages.map { HostCPU.Pages(size: $0.size, count: $0.total) }
        result.distances = cell.distances.enumerated().map { index, value in
            var distance = CPU.NUMA.Distance()
            distance.id = UInt32(clamping: index)
            distance.value = value
            return distance
        }
        result.cpus = cell.processors.map { processor in
            var result = HostCapabilities.Processor()
            result.id = UInt32(clamping: processor.id)
            result.socket = UInt32(clamping: processor.socket)
            result.die = UInt32(clamping: processor.die)
            result.core = UInt32(clamping: processor.core)
            result.siblings = BitSet(processor.siblings.map { UInt32(clamping: $0) })
            return result
        }
        return result
    }

    private static func bank(_ bank: HostTopology.CacheBank) -> HostCapabilities.CacheBank {
        var result = HostCapabilities.CacheBank()
        result.id = UInt32(clamping: bank.id)
        result.level = UInt32(clamping: bank.level)
        result.type = bank.type == "unified" ? "both" : bank.type == "instruction" ? "code" : "data"
        result.size = bank.size
        for unit in ["MiB", "GiB"] where result.size != 0 && result.size % 1024 == 0 {
            result.size /= 1024
            result.unit = unit
        }
        result.cpus = BitSet(bank.processors.map { UInt32(clamping: $0) })
        return result
    }

    // MARK: Guests

    /// What guests of an architecture can be.
    static func guest(
        _ architecture: Architecture, _ emulator: String, _ facts: QEMUCapabilities
    ) -> HostCapabilities.Guest {
        var guest = HostCapabilities.Guest()
        guest.arch.name = architecture.name
        guest.arch.wordSize = UInt32(clamping: architecture.wordSize)
        guest.arch.emulator = emulator
        let accelerator = facts.accelerator(kvm: facts.has(.kvm))
        guest.arch.machines = accelerator.machines.flatMap { machine in
            let own = HostCapabilities.Machine(
                machine.name, maximumCPUs: machine.maximumCPUs, deprecated: machine.deprecated ? true : nil)
            guard let alias = machine.alias else { return [own] }
            return [
                own,
                HostCapabilities.Machine(
                    alias, canonical: machine.name, maximumCPUs: machine.maximumCPUs,
                    deprecated: machine.deprecated ? true : nil),
            ]
        }
        if facts.has(.tcg) { guest.arch.domains.append(.init("qemu")) }
        if facts.has(.kvm) { guest.arch.domains.append(.init("kvm")) }
        guest.features.pae = architecture.name == "i686"
        guest.features.nonPAE = architecture.name == "i686"
        let isX86 = Architecture.isX86(architecture.name)
        if isX86 || architecture.name == "aarch64" { guest.features.acpi = .init(on: true, toggle: true) }
        if isX86 { guest.features.apic = .init(on: true, toggle: false) }
        return guest
    }
}

extension HostDescription {
    /// The host's UUID: the configured one, the firmware's, or a random one.
    static func findUUID(configured: String?) -> UUID {
        if let configured, let uuid = UUID(parsing: configured) { return uuid }
        if let text = SysFile.text("/sys/class/dmi/id/product_uuid"), let uuid = UUID(parsing: text),
            Set(uuid.description).subtracting(["-"]).count > 1
        {
            return uuid
        }
        return .random()
    }

    /// Whether devices of the host can be given to guests.
    static var hasVFIO: Bool {
        FileSystem.exists("/dev/vfio/vfio") && !SysFile.names("/sys/kernel/iommu_groups").isEmpty
    }
}

extension QEMUDriver {
    /// What the configuration says of the host, and its UUID.
    static func describeHost(
        _ context: DaemonContext, _ configuration: DriverConfiguration, isSession: Bool
    ) async throws -> HostDescription {
        var models = [HostCapabilities.SecurityModel(model: "none")]
        if !isSession {
            let label = configuration.dacLabel
            models.append(
                HostCapabilities.SecurityModel(
                    model: "dac", baseLabels: [.init(type: "kvm", label: label), .init(type: "qemu", label: label)]))
        }
        let configured = try context.config.string("host_uuid")
        let uuid = try await BlockingPool.shared.run { HostDescription.findUUID(configured: configured) }
        return HostDescription(securityModels: models, uuid: uuid)
    }
}
