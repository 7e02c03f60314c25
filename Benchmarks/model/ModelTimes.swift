import Glibc
import VirtModel
import VirtXML

/// modeltimes: what reading, completing, checking and printing a definition costs, in microseconds of processor time,
/// as medians of many rounds.
@main
enum ModelTimes {
    private static let rounds = 41
    private static let documentsPerRound = 50

    static func main() throws {
        guard CommandLine.arguments.count == 2, let text = read(CommandLine.arguments[1]) else {
            print("usage: modeltimes DOCUMENT")
            exit(2)
        }
        let bytes = fill(text)
        var steps = Steps()
        for _ in 0..<rounds { steps.add(try Times.measure(bytes, documentsPerRound)) }
        let times = steps.medians
        print(
            "document=\(bytes.count) total_us=\(shown(times.total)) parse_us=\(shown(times.parse))"
                + " complete_us=\(shown(times.complete)) validate_us=\(shown(times.validate))"
                + " format_us=\(shown(times.format))")
    }

    /// A host as it is met: one emulator with two machine types.
    static let context = DomainCompletionContext(
        hostArch: "x86_64",
        emulators: [
            DomainCompletionContext.Emulator(
                path: "/usr/bin/qemu-system-x86_64", arch: "x86_64",
                machines: [
                    .init(name: "pc-i440fx-7.2", alias: "pc", isDefault: true, defaultCPU: [.qemu: "qemu64"]),
                    .init(name: "pc-q35-7.2", alias: "q35", defaultCPU: [.qemu: "qemu64"], maximumCPUs: 288),
                ],
                flags: [
                    "qemu-xhci", "piix3-usb-uhci", "ich9-usb-ehci1", "pcie-root-port", "pcie-pci-bridge", "rtl8139",
                    "lsi", "cirrus-vga", "VGA", "virtio-vga", "virtio-scsi-pci",
                ])
        ])

    private static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = bytes.withUnsafeMutableBytes { fread($0.baseAddress, 1, $0.count, file) }
        return Array(bytes.prefix(count))
    }

    /// The template with a name and a UUID.
    private static func fill(_ bytes: [UInt8]) -> [UInt8] {
        var text = String(decoding: bytes, as: UTF8.self)
        for (mark, value) in [("@NAME@", "bench-0001"), ("@UUID@", "5f0e4c1a-0001-4bd0-8c55-000000000001")] {
            while let range = text.firstRange(of: mark) { text.replaceSubrange(range, with: value) }
        }
        return Array(text.utf8)
    }

    private static func shown(_ microseconds: Double) -> String {
        let tenths = Int((microseconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// Microseconds per document.
struct Times {
    var parse = 0.0
    var complete = 0.0
    var validate = 0.0
    var format = 0.0
    var total: Double { parse + complete + validate + format }

    static func measure(_ bytes: [UInt8], _ count: Int) throws -> Times {
        var times = Times()
        for _ in 0..<count {
            let start = processorTime()
            var domain = try Domain.parse(bytes, flags: .inactive)
            let parsed = processorTime()
            try domain.complete(ModelTimes.context)
            let completed = processorTime()
            try domain.validate(ModelTimes.context)
            let validated = processorTime()
            let text = try domain.format([.inactive])
            let end = processorTime()
            guard !text.isEmpty else { exit(1) }
            times.parse += parsed - start
            times.complete += completed - parsed
            times.validate += validated - completed
            times.format += end - validated
        }
        let divisor = Double(count)
        times.parse /= divisor
        times.complete /= divisor
        times.validate /= divisor
        times.format /= divisor
        return times
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }
}

/// The rounds' times.
struct Steps {
    private var rounds: [Times] = []

    mutating func add(_ times: Times) { rounds.append(times) }

    var medians: Times {
        Times(
            parse: median(\.parse), complete: median(\.complete), validate: median(\.validate),
            format: median(\.format))
    }

    private func median(_ step: KeyPath<Times, Double>) -> Double {
        let sorted = rounds.map { $0[keyPath: step] }.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
