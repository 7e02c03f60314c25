import VirtModel

/// The tc commands of a network's bandwidth. What guests receive leaves the bridge: inbound limits shape it, outbound
/// limits police what comes in.
enum TrafficControl {
    private static func command(_ words: String..., isOptional: Bool = false) -> TrafficCommand {
        TrafficCommand(arguments: words.flatMap { $0.split(separator: " ").map { String($0) } }, isOptional: isOptional)
    }

    /// Removes what may be there.
    static func clear(_ bridge: String) -> [TrafficCommand] {
        [
            command("qdisc del dev \(bridge) root", isOptional: true),
            command("qdisc del dev \(bridge) ingress", isOptional: true),
        ]
    }

    /// Sets up a bridge. Traffic without a guarantee goes to the class 1:2 below 1:1, which holds all of it.
    static func set(_ bridge: String, _ bandwidth: Bandwidth) -> [TrafficCommand] {
        var commands = clear(bridge)
        if let rate = bandwidth.inbound, rate.average > 0 {
            let peak = rate.peak > 0 ? " ceil \(rate.peak)kbps" : ""
            let burst = rate.burst > 0 ? " burst \(rate.burst)kb" : ""
            commands += [
                command("qdisc add dev \(bridge) root handle 1: htb default 2"),
                command(
                    "class add dev \(bridge) parent 1: classid 1:1 htb rate \(rate.average)kbps",
                    "ceil \(rate.peak > 0 ? rate.peak : rate.average)kbps quantum \(quantum(rate))"),
                command(
                    "class add dev \(bridge) parent 1:1 classid 1:2 htb rate \(rate.average)kbps\(peak)\(burst)",
                    "quantum \(quantum(rate))"),
                command("qdisc add dev \(bridge) parent 1:2 handle 2: sfq perturb 10"),
                command("filter add dev \(bridge) parent 1:0 protocol all prio 1 handle 1 fw flowid 1"),
            ]
        }
        if let rate = bandwidth.outbound {
            let burst = rate.burst > 0 ? rate.burst : min(rate.average, UInt64(UInt32.max) / 1024)
            commands += [
                command("qdisc add dev \(bridge) ingress"),
                command(
                    "filter add dev \(bridge) parent ffff: protocol all u32 match u32 0 0 police",
                    "rate \(rate.average)kbps burst \(burst)kb mtu 64kb drop flowid :1"),
            ]
        }
        return commands
    }

    /// HTB's quantum in bytes, of at least one packet in 1500ths of the rate.
    private static func quantum(_ rate: Bandwidth.Rate) -> UInt64 {
        max(1, rate.average.multipliedReportingOverflow(by: 1024).partialValue / 8 / 1500)
    }

    /// Gives a guest its guaranteed rate, in a class of its own.
    static func plug(
        _ bridge: String, _ network: Bandwidth.Rate, _ port: Bandwidth.Rate, mac: MACAddress, classID: UInt32
    ) -> [TrafficCommand] {
        let id = String(classID, radix: 16)
        let ceiling = network.peak > 0 ? network.peak : network.average
        let bytes = mac.bytes.map { hex($0) }
        return [
            command(
                "class add dev \(bridge) parent 1:1 classid 1:\(id) htb rate \(port.floor)kbps ceil \(ceiling)kbps",
                "quantum \(quantum(port))"),
            command("qdisc add dev \(bridge) parent 1:\(id) handle \(id): sfq perturb 10"),
            command(
                "filter add dev \(bridge) protocol ip prio 2 handle 800::\(classID) u32",
                "match u16 0x0800 0xffff at -2 match u32 0x\(bytes[2...5].joined()) 0xffffffff at -12",
                "match u16 0x\(bytes[0...1].joined()) 0xffff at -14 flowid 1:\(id)"),
        ]
    }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    static func unplug(_ bridge: String, classID: UInt32) -> [TrafficCommand] {
        let id = String(classID, radix: 16)
        return [
            command("qdisc del dev \(bridge) handle \(id):", isOptional: true),
            command("filter del dev \(bridge) prio 2 handle 800::\(classID) u32", isOptional: true),
            command("class del dev \(bridge) classid 1:\(id)", isOptional: true),
        ]
    }

    /// Changes the rate of a class: a guest's, or 2 for all that have no guarantee.
    static func changeRate(
        _ bridge: String, _ network: Bandwidth.Rate, classID: UInt32, rate: UInt64
    ) -> TrafficCommand {
        let ceiling = network.peak > 0 ? network.peak : network.average
        return command(
            "class change dev \(bridge) classid 1:\(String(classID, radix: 16)) htb rate \(rate)kbps ceil "
                + "\(ceiling)kbps",
            "quantum \(quantum(network))")
    }
}
