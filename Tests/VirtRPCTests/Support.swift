import Glibc
import Synchronization
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// A server and clients of it over socket pairs, all on loops of their own.
final class Swarm: Sendable {
    let loops = EventLoopGroup(count: 2)
    let server: RPCServer

    init(
        limits: ServerLimits = ServerLimits(), routes: ForwardingRules? = nil,
        _ install: (inout HandlerTable) -> Void = { _ in }
    ) {
        var table = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.install(
            into: &table, ConnectionOptions(scheme: "qemu", type: "QEMU", features: [16]))
        install(&table)
        server = RPCServer(name: "test", loops: loops, programs: [table], limits: limits, routes: routes)
    }

    /// A client on a fresh socket pair.
    func client(readOnly: Bool = false, authentication: Authentication = .none) async throws -> RPCClient {
        let ends = try UnixSocket.pair()
        let (near, far) = Swarm.split(ends)
        server.adopt(far, readOnly: readOnly, authentication: authentication)
        return try await RPCClient(adopting: near, loop: loops.next())
    }

    /// A raw socket of a client that speaks for itself.
    func rawSocket() throws -> DescriptorBox {
        let (near, far) = Swarm.split(try UnixSocket.pair())
        server.adopt(far, readOnly: false, authentication: .none)
        return near
    }

    static func split(_ pair: consuming UnixSocket.Pair) -> (DescriptorBox, DescriptorBox) {
        (
            DescriptorBox(OwnedDescriptor(dup(pair.first.rawValue))),
            DescriptorBox(OwnedDescriptor(dup(pair.second.rawValue)))
        )
    }
}

/// A gate that tasks wait at until it is opened.
actor Gate {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private(set) var arrivals = 0
    private var arrivalWaiters: [(Int, CheckedContinuation<Void, Never>)] = []

    func pass() async {
        arrivals += 1
        arrivalWaiters = arrivalWaiters.filter { count, continuation in
            if arrivals >= count { continuation.resume() }
            return arrivals < count
        }
        if isOpen { return }
        await withCheckedContinuation { waiters.append($0) }
    }

    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    /// Waits until so many have come to the gate.
    func waitForArrivals(_ count: Int) async {
        if arrivals >= count { return }
        await withCheckedContinuation { arrivalWaiters.append((count, $0)) }
    }
}

/// A value that arrives once.
final class Mailbox<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func put(_ value: Value) { continuation.yield(value) }

    func take() async -> Value? {
        for await value in stream { return value }
        return nil
    }
}
