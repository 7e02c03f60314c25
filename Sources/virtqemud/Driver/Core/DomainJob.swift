import Synchronization
import VirtCore
import VirtOS

/// What a job does to its domain: decides which other jobs may run at the same time.
enum JobKind: String, Sendable {
    case query
    case destroy
    case suspend
    case modify
    case start
    case stop

    /// Whether the status file is to be written when the job ends.
    var changesDomain: Bool { self != .query }
}

/// The right to change a domain: one job at a time, in the order of asking, with a deadline.
///
/// Isolated to the domain's loop by its owner.
struct JobQueue {
    /// How long a job waits for its turn, as in libvirt.
    static let timeout: Duration = .seconds(30)

    /// The job that runs.
    struct Holder: Sendable {
        let kind: JobKind
        /// The procedure that asked for it.
        let api: String
        let client: UInt64?
        let since: MonotonicTime
    }

    private struct Waiter {
        let id: UInt64
        let holder: Holder
        let continuation: CheckedContinuation<Void, any Error>
        let timer: Timer?
    }

    private(set) var holder: Holder?
    private var waiters: [Waiter] = []
    private var nextID: UInt64 = 0

    /// Whether a job runs or waits.
    var isBusy: Bool { holder != nil || !waiters.isEmpty }

    /// Takes the job when it is free.
    mutating func tryBegin(_ kind: JobKind, _ api: String, client: UInt64?) -> Bool {
        guard holder == nil else { return false }
        holder = Holder(kind: kind, api: api, client: client, since: .now())
        return true
    }

    mutating func newTicket() -> UInt64 {
        nextID += 1
        return nextID
    }

    mutating func enqueue(
        _ ticket: UInt64, _ kind: JobKind, _ api: String, client: UInt64?,
        _ continuation: CheckedContinuation<Void, any Error>, timer: Timer?
    ) {
        let holder = Holder(kind: kind, api: api, client: client, since: .now())
        waiters.append(Waiter(id: ticket, holder: holder, continuation: continuation, timer: timer))
    }

    /// Ends the running job and lets the next one run.
    mutating func end() {
        holder = nil
        guard !waiters.isEmpty else { return }
        let next = waiters.removeFirst()
        next.timer?.cancel()
        holder = Holder(kind: next.holder.kind, api: next.holder.api, client: next.holder.client, since: .now())
        next.continuation.resume()
    }

    /// Gives up waiting.
    mutating func abandon(_ ticket: UInt64, _ error: any Error) {
        guard let index = waiters.firstIndex(where: { $0.id == ticket }) else { return }
        let waiter = waiters.remove(at: index)
        waiter.timer?.cancel()
        waiter.continuation.resume(throwing: error)
    }

    /// Error 68 with the job that is in the way: its procedure, its age and its client.
    var timeoutError: VirtError {
        var detail = "cannot acquire state change lock"
        if let holder {
            let age = max(0, (MonotonicTime.now() - holder.since).wholeMilliseconds / 1000)
            let client = holder.client.map { ", client=\($0)" } ?? ""
            detail += " (held by monitor=\(holder.api)) (job=\(holder.kind.rawValue), age=\(age)s\(client))"
        }
        return VirtError(.operationTimeout, .qemu, detail)
    }
}
