/// Times of calls in nanoseconds; of very many, the first ones.
struct Latencies {
    private static let most = 4_000_000
    private var values: [UInt32] = []
    private(set) var count = 0

    mutating func add(_ nanoseconds: UInt64) {
        count += 1
        if values.count < Latencies.most { values.append(UInt32(clamping: nanoseconds)) }
    }

    mutating func sort() { values.sort() }

    /// In microseconds; after `sort`.
    func quantile(_ part: Double) -> Double {
        guard !values.isEmpty else { return 0 }
        return Double(values[min(values.count - 1, Int(Double(values.count) * part))]) / 1000
    }
}

extension Double {
    /// With `digits` decimals.
    func text(_ digits: Int = 1) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let whole = Int((self * scale).rounded())
        guard digits > 0 else { return String(whole) }
        let factor = Int(scale)
        let rest = String(whole % factor)
        return "\(whole / factor)." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
