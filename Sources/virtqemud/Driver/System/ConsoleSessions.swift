import Glibc
import Synchronization
import VirtCore
import VirtOS
import VirtRPC

/// One client's use of a console; `force` of another one ends it.
final class ConsoleSession: Sendable {
    let path: String
    private let ending = Mutex<(isOver: Bool, body: (@Sendable () -> Void)?)>((false, nil))

    init(_ path: String) { self.path = path }

    /// Somebody else takes the console.
    func end() {
        let body = ending.withLock { state in
            state.isOver = true
            return state.body
        }
        body?()
    }

    /// Calls `body` when the session ends; at once if it has.
    func onEnd(_ body: @escaping @Sendable () -> Void) {
        let isOver = ending.withLock { state in
            state.body = body
            return state.isOver
        }
        if isOver { body() }
    }
}

/// Who uses which console: one client at a time.
final class ConsoleSessions: Sendable {
    private let sessions = Mutex<[String: ConsoleSession]>([:])

    /// Takes a console, or error 9 when another client has it and `force` is not given.
    func take(_ path: String, force: Bool) throws(VirtError) -> ConsoleSession {
        let session = ConsoleSession(path)
        let (isTaken, previous) = sessions.withLock { sessions -> (Bool, ConsoleSession?) in
            let previous = sessions[path]
            if previous != nil, !force { return (true, nil) }
            sessions[path] = session
            return (false, previous)
        }
        if isTaken {
            throw VirtError(.operationFailed, .qemu, "Active console session exists for this domain")
        }
        previous?.end()
        return session
    }

    func giveBack(_ session: ConsoleSession) {
        sessions.withLock { sessions in
            if sessions[session.path] === session { sessions[session.path] = nil }
        }
    }
}

/// Bytes between a console's descriptor and a client's stream, both ways.
enum ConsoleBridge {
    /// Runs until either side ends.
    static func run(
        _ descriptor: DescriptorBox, _ stream: ServerStream, _ session: ConsoleSession, on loop: EventLoop
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: loop) { try await toClient(descriptor, stream, loop) }
            group.addTask(executorPreference: loop) { try await fromClient(descriptor, stream, loop) }
            group.addTask(executorPreference: loop) { await waitForEnd(session) }
            _ = try await group.next()
            group.cancelAll()
        }
    }

    private static func toClient(_ descriptor: DescriptorBox, _ stream: ServerStream, _ loop: EventLoop) async throws {
        let copy = DescriptorBox(try OwnedDescriptor(duplicating: descriptor.rawValue))
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe read(copy.rawValue, &buffer, buffer.count)
            if count > 0 {
                try await stream.write(Array(buffer[0..<count]))
            } else if count < 0, errno == EAGAIN || errno == EINTR {
                try await wait(copy, .read, loop)
            } else {
                return
            }
        }
    }

    private static func fromClient(
        _ descriptor: DescriptorBox, _ stream: ServerStream, _ loop: EventLoop
    ) async throws {
        while let item = try await stream.read() {
            guard case .data(let bytes) = item else { continue }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor.rawValue, $0.baseAddress, $0.count) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN || errno == EINTR {
                    try await wait(descriptor, .write, loop)
                } else {
                    throw VirtError.system(errno, .streams, "cannot write to stream")
                }
            }
        }
    }

    private static func waitForEnd(_ session: ConsoleSession) async {
        let once = Once()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                once.set(continuation)
                session.onEnd { once.resume() }
            }
        } onCancel: {
            once.resume()
        }
    }

    /// Until the descriptor is ready.
    private static func wait(_ descriptor: DescriptorBox, _ interest: Interest, _ loop: EventLoop) async throws {
        let once = Once()
        try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                once.set(continuation)
                loop.execute {
                    var watch: Watch?
                    watch = try? loop.watch(descriptor.rawValue, interest, name: "console") { _ in
                        watch?.cancel()
                        once.resume()
                    }
                    guard let held = watch else { return once.resume() }
                    once.onResume { held.cancel() }
                }
            }
            try Task.checkCancellation()
        } onCancel: {
            once.resume()
        }
    }
}

/// A continuation that several may want to resume: the first does.
final class Once: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Void, Never>?
        var isOver = false
        var cleanUp: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    func set(_ continuation: CheckedContinuation<Void, Never>) {
        let isOver = state.withLock { state in
            if !state.isOver { state.continuation = continuation }
            return state.isOver
        }
        if isOver { continuation.resume() }
    }

    /// What is to be done when it is over; at once if it is.
    func onResume(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            state.cleanUp = body
            return state.isOver
        }
        if isOver { body() }
    }

    func resume() {
        let (continuation, cleanUp) = state.withLock { state in
            defer {
                state.isOver = true
                state.continuation = nil
            }
            return (state.continuation, state.isOver ? nil : state.cleanUp)
        }
        cleanUp?()
        continuation?.resume()
    }
}
