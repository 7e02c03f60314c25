import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// The weights and rates of virDomainGetBlkioParameters. Those of devices travel as `path,number,path,number`.
enum BlockIOParameter: String, CaseIterable, Sendable {
    case weight
    case deviceWeight = "device_weight"
    case readIOPS = "device_read_iops_sec"
    case writeIOPS = "device_write_iops_sec"
    case readBytes = "device_read_bytes_sec"
    case writeBytes = "device_write_bytes_sec"

    /// What a definition has; nil for the guest's own weight, which is no device's.
    private func number(of device: BlockIOTuning.Device) -> UInt64? {
        switch self {
        case .weight: nil
        case .deviceWeight: device.weight.map(UInt64.init)
        case .readIOPS: device.readIOPS.map(UInt64.init)
        case .writeIOPS: device.writeIOPS.map(UInt64.init)
        case .readBytes: device.readBytes
        case .writeBytes: device.writeBytes
        }
    }

    private func set(_ number: UInt64, of device: inout BlockIOTuning.Device) {
        let value = number == 0 ? nil : number
        switch self {
        case .weight: break
        case .deviceWeight: device.weight = value.map(UInt32.init(clamping:))
        case .readIOPS: device.readIOPS = value.map(UInt32.init(clamping:))
        case .writeIOPS: device.writeIOPS = value.map(UInt32.init(clamping:))
        case .readBytes: device.readBytes = value
        case .writeBytes: device.writeBytes = value
        }
    }

    private func list(_ tuning: BlockIOTuning) -> TypedParameter {
        let parts = tuning.devices.compactMap { device in number(of: device).map { "\(device.path ?? ""),\($0)" } }
        return TypedParameter(rawValue, .string(parts.joined(separator: ",")))
    }

    /// A parameter of a call, decoded.
    enum Change: Sendable {
        case weight(UInt32)
        case devices(BlockIOParameter, [(path: String, number: UInt64)])

        /// - Throws: VIR_ERR_INVALID_ARG.
        init(_ parameter: TypedParameter) throws(VirtError) {
            switch (BlockIOParameter(rawValue: parameter.field), parameter.value) {
            case (.weight, .uint(let weight)): self = .weight(weight)
            case (let name?, .string(let text)) where name != .weight:
                self = .devices(name, try Self.parse(text, name))
            default: throw TuningParameters.unknown(parameter)
            }
        }

        private static func parse(
            _ text: String, _ name: BlockIOParameter
        ) throws(VirtError) -> [(path: String, number: UInt64)] {
            guard !text.isEmpty else { return [] }
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count.isMultiple(of: 2) else {
                throw VirtError(
                    .invalidArg, .domain, "unable to parse blkio device '\(name.rawValue)' '\(text)'")
            }
            var list: [(path: String, number: UInt64)] = []
            for index in stride(from: 0, to: parts.count, by: 2) {
                let limit = name == .readBytes || name == .writeBytes ? UInt64.max : UInt64(UInt32.max)
                guard let number = UInt64(parts[index + 1]), number <= limit else {
                    throw VirtError(
                        .invalidArg, .domain,
                        "invalid value '\(parts[index + 1])' for parameter '\(name.rawValue)' of device "
                            + "'\(parts[index])'")
                }
                list.append((String(parts[index]), number))
            }
            return list
        }

        func apply(to tuning: inout BlockIOTuning) {
            switch self {
            case .weight(let weight): tuning.weight = weight == 0 ? nil : weight
            case .devices(let name, let list):
                for (path, number) in list {
                    if let index = tuning.devices.firstIndex(where: { $0.path == path }) {
                        name.set(number, of: &tuning.devices[index])
                    } else if number != 0 {
                        var device = BlockIOTuning.Device()
                        device.path = path
                        name.set(number, of: &device)
                        tuning.devices.append(device)
                    }
                }
            }
        }

        func apply(to group: Cgroup) throws(VirtError) {
            switch self {
            case .weight(let weight): try group.setWeight(weight)
            case .devices(let name, let list):
                for (path, number) in list { try name.set(number, path, in: group) }
            }
        }
    }

    private func set(_ number: UInt64, _ path: String, in group: Cgroup) throws(VirtError) {
        switch self {
        case .weight: break
        case .deviceWeight: try group.setWeight(UInt32(clamping: number), device: path)
        case .readIOPS: try group.setRate(.readOperations, number, device: path)
        case .writeIOPS: try group.setRate(.writeOperations, number, device: path)
        case .readBytes: try group.setRate(.readBytes, number, device: path)
        case .writeBytes: try group.setRate(.writeBytes, number, device: path)
        }
    }

    // MARK: Calls

    static func install(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetBlkioParameters.self) { arguments, _ in
            let snapshot = try registry.snapshot(arguments.dom)
            let tuning = try TuningParameters.definition(
                snapshot, arguments.flags, "qemuDomainGetBlkioParameters"
            ).blockIOTuning
            var weight = tuning.weight ?? 0
            if try ModificationImpact(arguments.flags & ModificationImpact.mask, snapshot).live {
                weight = try snapshot.running().1.requireCgroup(.blkio, "blkio").group.weight()
            }
            let devices = allCases.filter { $0 != .weight }.map { $0.list(tuning) }
            let list = [TypedParameter(Self.weight.rawValue, .uint(weight))] + devices
            let fitted = TuningParameters.fit(list, arguments.nparams)
            return .init(params: fitted.params, nparams: fitted.nparams)
        }
        table.onChange(RemoteProgram.DomainSetBlkioParameters.self) { arguments, caller in
            try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainSetBlkioParameters")
            let changes = try arguments.params.map { try Change($0) }
            try await registry.actor(arguments.dom).change(
                "virDomainSetBlkioParameters", flags: arguments.flags, caller.client
            ) { _, runtime in
                let group = try runtime.requireCgroup(.blkio, "blkio").group
                for change in changes { try change.apply(to: group) }
            } definition: { domain in
                for change in changes { change.apply(to: &domain.blockIOTuning) }
            }
            return .init()
        }
    }
}
