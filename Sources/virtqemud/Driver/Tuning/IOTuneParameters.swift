import QEMUMonitor
import VirtCore
import VirtModel

/// Limits of a disk's throughput as typed parameters (`virsh blkdeviotune`), in libvirt's order.
enum IOTuneParameters {
    typealias Field = any WritableKeyPath<IOTune, UInt64?> & Sendable

    /// A group of limits: what a call sets of it replaces the whole group.
    struct Group: Sendable {
        let fields: [(name: String, path: Field, qmp: String)]
    }

    static let groups: [Group] = [
        group("bytes_sec", \.bytes.total, \.bytes.read, \.bytes.write, "bps"),
        group("iops_sec", \.iops.total, \.iops.read, \.iops.write, "iops"),
        group("bytes_sec_max", \.bytesMaximum.total, \.bytesMaximum.read, \.bytesMaximum.write, "bps", "_max"),
        group("iops_sec_max", \.iopsMaximum.total, \.iopsMaximum.read, \.iopsMaximum.write, "iops", "_max"),
        Group(fields: [("size_iops_sec", \.sizeIOPS, "iops_size")]),
        group(
            "bytes_sec_max_length", \.bytesMaximumLength.total, \.bytesMaximumLength.read, \.bytesMaximumLength.write,
            "bps", "_max_length"),
        group(
            "iops_sec_max_length", \.iopsMaximumLength.total, \.iopsMaximumLength.read, \.iopsMaximumLength.write,
            "iops", "_max_length"),
    ]
    /// The name of the group of disks stands after this many groups.
    private static let nameAfter = 5

    private static func group(
        _ name: String, _ total: Field, _ read: Field, _ write: Field, _ qmp: String, _ suffix: String = ""
    ) -> Group {
        Group(fields: [
            ("total_" + name, total, qmp + suffix), ("read_" + name, read, qmp + "_rd" + suffix),
            ("write_" + name, write, qmp + "_wr" + suffix),
        ])
    }

    static func list(_ tune: IOTune?) -> [TypedParameter] {
        let tune = tune ?? IOTune()
        var list: [TypedParameter] = []
        for (index, group) in groups.enumerated() {
            if index == nameAfter { list.append(TypedParameter("group_name", .string(tune.groupName ?? ""))) }
            for field in group.fields {
                list.append(TypedParameter(field.name, .ullong(tune[keyPath: field.path] ?? 0)))
            }
        }
        return list
    }

    /// What a call makes of a disk's limits.
    static func apply(_ parameters: [TypedParameter], to old: IOTune?) throws(VirtError) -> IOTune {
        var tune = old ?? IOTune()
        var replaced: Set<Int> = []
        for parameter in parameters {
            if parameter.field == "group_name" {
                guard case .string(let name) = parameter.value else { throw wrongType(parameter) }
                tune.groupName = name.isEmpty ? nil : name
                continue
            }
            guard let index = groups.firstIndex(where: { $0.fields.contains { $0.name == parameter.field } }),
                let field = groups[index].fields.first(where: { $0.name == parameter.field })
            else { throw VirtError(.argumentUnsupported, .none, "parameter '\(parameter.field)' not supported") }
            if replaced.insert(index).inserted {
                for member in groups[index].fields { tune[keyPath: member.path] = nil }
            }
            guard case .ullong(let value) = parameter.value else { throw wrongType(parameter) }
            guard value <= 1_000_000_000_000_000 else {
                throw VirtError(
                    .argumentUnsupported, .qemu,
                    "block I/O throttle limit value must be no more than 1000000000000000")
            }
            tune[keyPath: field.path] = value == 0 ? nil : value
        }
        try check(tune)
        return tune
    }

    private static func wrongType(_ parameter: TypedParameter) -> VirtError {
        VirtError(.invalidArg, .none, "invalid type for parameter '\(parameter.field)'")
    }

    private static func check(_ tune: IOTune) throws(VirtError) {
        let pairs: [(String, IOTune.Limits)] = [
            ("bytes_sec", tune.bytes), ("iops_sec", tune.iops), ("bytes_sec_max", tune.bytesMaximum),
            ("iops_sec_max", tune.iopsMaximum),
        ]
        for (name, limits) in pairs where limits.total != nil && (limits.read != nil || limits.write != nil) {
            throw VirtError(.invalidArg, .qemu, "total and read/write of \(name) cannot be set at the same time")
        }
    }

    /// What a guest's limits must obey besides.
    static func checkBursts(_ tune: IOTune) throws(VirtError) {
        let pairs: [(String, UInt64?, UInt64?)] = [
            ("total_bytes_sec", tune.bytes.total, tune.bytesMaximum.total),
            ("read_bytes_sec", tune.bytes.read, tune.bytesMaximum.read),
            ("write_bytes_sec", tune.bytes.write, tune.bytesMaximum.write),
            ("total_iops_sec", tune.iops.total, tune.iopsMaximum.total),
            ("read_iops_sec", tune.iops.read, tune.iopsMaximum.read),
            ("write_iops_sec", tune.iops.write, tune.iopsMaximum.write),
        ]
        for case (let name, let limit, let burst?) in pairs {
            guard let limit else {
                throw VirtError(.configUnsupported, .qemu, "cannot reset '\(name)' when '\(name)_max' is set")
            }
            guard burst >= limit else {
                throw VirtError(
                    .configUnsupported, .qemu, "value '\(name)_max' cannot be smaller than '\(name)'")
            }
        }
    }

    /// The arguments of `block_set_io_throttle`.
    static func words(_ tune: IOTune, device: String) -> JSONObject {
        var words: JSONObject = ["id": .string(device)]
        for group in groups {
            for field in group.fields {
                let isLength = field.qmp.hasSuffix("_length")
                if isLength, tune[keyPath: field.path] == nil { continue }
                words[field.qmp] = .integer(tune[keyPath: field.path] ?? 0)
            }
        }
        if let name = tune.groupName { words["group"] = .string(name) }
        return words
    }
}
