import VirtCore
import VirtModel
import VirtOS

/// Limits of an interface's traffic as typed parameters (`virsh domiftune`).
enum BandwidthParameters {
    static let count: Int32 = 7

    static func list(_ bandwidth: Bandwidth?) -> [TypedParameter] {
        let inbound = bandwidth?.inbound ?? Bandwidth.Rate()
        let outbound = bandwidth?.outbound ?? Bandwidth.Rate()
        let numbers: [(String, UInt64)] = [
            ("inbound.average", inbound.average), ("inbound.peak", inbound.peak), ("inbound.burst", inbound.burst),
            ("inbound.floor", inbound.floor), ("outbound.average", outbound.average), ("outbound.peak", outbound.peak),
            ("outbound.burst", outbound.burst),
        ]
        return numbers.map { TypedParameter($0.0, .uint(UInt32(clamping: $0.1))) }
    }

    /// A direction that a call says anything of is replaced as a whole.
    static func apply(_ parameters: [TypedParameter], to old: Bandwidth?) throws(VirtError) -> Bandwidth? {
        var inbound: Bandwidth.Rate?
        var outbound: Bandwidth.Rate?
        for parameter in parameters {
            guard case .uint(let number) = parameter.value else {
                throw VirtError(.invalidArg, .none, "invalid type for parameter '\(parameter.field)'")
            }
            let parts = parameter.field.split(separator: ".", maxSplits: 1)
            let isInbound = parts.first == "inbound"
            guard parts.count == 2, isInbound || parts[0] == "outbound" else { throw unknown(parameter.field) }
            var rate = (isInbound ? inbound : outbound) ?? Bandwidth.Rate()
            switch parts[1] {
            case "average": rate.average = UInt64(number)
            case "peak": rate.peak = UInt64(number)
            case "burst": rate.burst = UInt64(number)
            case "floor" where isInbound: rate.floor = UInt64(number)
            default: throw unknown(parameter.field)
            }
            if isInbound { inbound = rate } else { outbound = rate }
        }
        var result = old ?? Bandwidth()
        if let inbound { result.inbound = try complete(inbound, "inbound", old?.inbound) }
        if let outbound { result.outbound = try complete(outbound, "outbound", old?.outbound) }
        return result.inbound == nil && result.outbound == nil ? nil : result
    }

    private static func unknown(_ name: String) -> VirtError {
        VirtError(.argumentUnsupported, .none, "parameter '\(name)' not supported")
    }

    /// nil when there is no limit left.
    private static func complete(
        _ rate: Bandwidth.Rate, _ name: String, _ old: Bandwidth.Rate?
    ) throws(VirtError) -> Bandwidth.Rate? {
        guard rate.average == 0 else { return rate }
        if rate.floor == 0 {
            guard rate.peak == 0, rate.burst == 0 else {
                throw VirtError(.invalidArg, .qemu, "invalid \(name) average value")
            }
            return nil
        }
        return rate
    }

    /// The `tc` commands that put limits on a tap device. What reaches the guest leaves the host's end.
    static func commands(_ name: String, _ bandwidth: Bandwidth) -> [[String]] {
        var commands: [[String]] = []
        if let inbound = bandwidth.inbound, inbound.average > 0 {
            let rate = "\(inbound.average)kbps"
            let ceiling = inbound.peak > 0 ? ["ceil", "\(inbound.peak)kbps"] : []
            let burst = inbound.burst > 0 ? ["burst", "\(inbound.burst)kb"] : []
            let quantum = ["quantum", "\(max(1, min(inbound.average * 1024 / 8 / 1500, 200_000)))"]
            commands += [
                ["qdisc", "add", "dev", name, "root", "handle", "1:", "htb", "default", "1"],
                ["class", "add", "dev", name, "parent", "1:", "classid", "1:1", "htb", "rate", rate]
                    + ceiling + burst + quantum,
                ["qdisc", "add", "dev", name, "parent", "1:1", "handle", "2:", "sfq", "perturb", "10"],
                [
                    "filter", "add", "dev", name, "parent", "1:0", "protocol", "all", "prio", "1", "handle", "1", "fw",
                    "flowid", "1",
                ],
            ]
        }
        if let outbound = bandwidth.outbound, outbound.average > 0 {
            let burst = outbound.burst > 0 ? outbound.burst : outbound.average
            commands += [
                ["qdisc", "add", "dev", name, "ingress"],
                [
                    "filter", "add", "dev", name, "parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0",
                    "police", "rate", "\(outbound.average)kbps", "burst", "\(burst)kb", "mtu", "64kb", "drop", "flowid",
                    ":1",
                ],
            ]
        }
        return commands
    }

    /// Puts limits on a device in the place of those that it has.
    static func put(_ bandwidth: Bandwidth?, on name: String) async throws {
        for words in [["qdisc", "del", "dev", name, "root"], ["qdisc", "del", "dev", name, "ingress"]] {
            _ = try await ChildProcess.run("tc", words, timeout: .seconds(10))
        }
        guard let bandwidth else { return }
        for words in commands(name, bandwidth) {
            let output = try await ChildProcess.run("tc", words, timeout: .seconds(10))
            guard output.status.isSuccess else {
                _ = try? await ChildProcess.run("tc", ["qdisc", "del", "dev", name, "root"], timeout: .seconds(10))
                throw ChildProcess.failure((["tc"] + words).joined(separator: " "), output)
            }
        }
    }
}
