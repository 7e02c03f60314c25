/// The state file of a running network (`<networkstatus>` in /run/libvirt/network).
package struct NetworkStatus: Equatable, Sendable {
    /// The traffic classes in use; 0 to 2 always are.
    package var classIDs: Set<UInt32> = [0, 1, 2]
    /// The sum of all guaranteed rates, in KiB/s.
    package var floorSum: UInt64 = 0
    /// Whether a hook script has run.
    package var isTaintedByHook = false
    package var network: Network

    package init(network: Network) { self.network = network }

    /// The classes as libvirt's bitmaps are written: `0-2,5`.
    package var classIDText: String {
        var parts: [String] = []
        var run: (UInt32, UInt32)?
        for id in classIDs.sorted() {
            if let current = run, id == current.1 + 1 {
                run = (current.0, id)
            } else {
                if let current = run { parts.append(Self.text(current)) }
                run = (id, id)
            }
        }
        if let run { parts.append(Self.text(run)) }
        return parts.joined(separator: ",")
    }

    private static func text(_ run: (UInt32, UInt32)) -> String {
        run.0 == run.1 ? "\(run.0)" : "\(run.0)-\(run.1)"
    }

    /// Reads a bitmap text; nil when it is malformed or names classes beyond 65535.
    package static func classIDs(parsing text: String) -> Set<UInt32>? {
        var result: Set<UInt32> = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-", maxSplits: 1).map { UInt32($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last, last < 65536 else {
                return nil
            }
            result.formUnion(first...last)
        }
        return result
    }

    /// The first class that is free.
    package var nextClassID: UInt32? { (3..<65536).first { !classIDs.contains($0) } }
}
