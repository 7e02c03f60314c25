import QEMUCommand
import Synchronization
import VirtModel

/// What QEMU told of a processor that it made, in QEMU's names.
struct ProcessorSwitches: Sendable {
    var enabled: [String]
    /// Asked for and not to be had.
    var missing: [String]

    /// Everything that decides how a processor comes out. QEMU reads questions byte by byte: asking for all switches takes
    /// longer than the rest of a start.
    struct Shape: Sendable, Equatable {
        private let emulator: String
        private let origin: QEMUCapabilities.Origin
        private let kind: Domain.Kind
        private let os: OperatingSystem
        private let cpu: CPU?
        private let vcpu: VCPUs
        private let features: Features
        private let clock: GuestClock
        private let extra: QEMUNamespace

        init(_ plan: StartPlan) {
            let domain = plan.domain
            emulator = plan.facts.emulator
            origin = plan.facts.origin
            kind = domain.type
            os = domain.os
            cpu = domain.cpu
            vcpu = domain.vcpu
            features = domain.features
            clock = domain.clock
            extra = domain.qemu
        }
    }
}

/// The switches of the processors that were asked about last.
final class ProcessorSwitchesCache: Sendable {
    private static let most = 16
    private let entries = Mutex<[(shape: ProcessorSwitches.Shape, switches: ProcessorSwitches)]>([])

    func known(_ shape: ProcessorSwitches.Shape) -> ProcessorSwitches? {
        entries.withLock { entries in entries.first { $0.shape == shape }?.switches }
    }

    func learn(_ shape: ProcessorSwitches.Shape, _ switches: ProcessorSwitches) {
        entries.withLock { entries in
            entries.removeAll { $0.shape == shape }
            if entries.count >= Self.most { entries.removeFirst() }
            entries.append((shape, switches))
        }
    }
}
