import Testing
import VirtCore
import VirtOS

@testable import QEMUDriver

@Suite("Jobs")
struct JobQueueTests {
    @Test("One job runs, the others wait in their order")
    func order() async throws {
        let owner = JobOwner()
        try await owner.begin("first")
        let record = Record()
        async let second: Void = {
            try await owner.begin("second")
            record.add("second")
            await owner.end()
        }()
        while await owner.waiting < 1 { await Task.yield() }
        async let third: Void = {
            try await owner.begin("third")
            record.add("third")
            await owner.end()
        }()
        while await owner.waiting < 2 { await Task.yield() }
        #expect(record.list.isEmpty)
        await owner.end()
        _ = try await (second, third)
        #expect(record.list == ["second", "third"])
    }

    @Test("Who waits too long is told what was in the way")
    func timeout() {
        var jobs = JobQueue()
        let first = jobs.tryBegin(.start, "virDomainCreate", client: 7)
        let second = jobs.tryBegin(.modify, "virDomainSetMemory", client: nil)
        #expect(first && !second)
        let error = jobs.timeoutError
        #expect(error.code == .operationTimeout)
        #expect(
            error.message.hasPrefix(
                "Timed out during operation: cannot acquire state change lock (held by monitor=virDomainCreate)"))
        #expect(error.message.contains("client=7"))
        jobs.end()
        let third = jobs.tryBegin(.modify, "virDomainSetMemory", client: nil)
        #expect(third)
    }
}

/// The queue with continuations, as a domain uses it.
actor JobOwner {
    private var jobs = JobQueue()
    private(set) var waiting = 0

    func begin(_ api: String) async throws {
        if jobs.tryBegin(.modify, api, client: nil) { return }
        let ticket = jobs.newTicket()
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            jobs.enqueue(ticket, .modify, api, client: nil, continuation, timer: nil)
            waiting += 1
        }
    }

    func end() { jobs.end() }
}
