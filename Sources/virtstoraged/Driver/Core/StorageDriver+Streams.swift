import Glibc
import Synchronization
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

// Volumes' content going in and out.
extension StorageDriver {
    private static let sparse: UInt32 = 1
    /// How much is read at once: the largest packet that every client takes.
    private static let readSize = 262_120

    /// A range of a volume as a client gives it; a length of 0 means to the end.
    struct Range: Sendable {
        let start: Int64
        /// Where the range ends; nil: nowhere.
        let end: Int64?

        init(offset: UInt64, length: UInt64) throws(VirtError) {
            let end = offset.addingReportingOverflow(length)
            guard let start = Int64(exactly: offset), !end.overflow, let last = Int64(exactly: end.partialValue) else {
                throw VirtError(.invalidArg, .streams, "offset and length go beyond the largest file")
            }
            self.start = start
            self.end = length == 0 ? nil : last
        }
    }

    /// STORAGE_VOL_UPLOAD
    func upload(
        _ pool: PoolObject, _ name: String, _ range: Range, flags: UInt32, on loop: EventLoop
    ) async throws -> @Sendable (ServerStream) async throws -> Void {
        try StorageFlag.check(flags, allowed: Self.sparse, "storageVolUpload")
        let backend = try backend(of: pool)
        let use = try VolumeUse(self, pool, name)
        let file = try await backend.open(use.volume, forWriting: true)
        return { [self] stream in
            do {
                try await Self.receive(stream, file, range)
            } catch {
                // What came before the end is there: the volume may look different now.
                try? await seenThrough(on: loop) { [self] in try await uploaded(pool, use) }
                throw error
            }
            try await seenThrough(on: loop) { [self] in try await uploaded(pool, use) }
        }
    }

    private static func receive(_ stream: ServerStream, _ file: VolumeFile, _ range: Range) async throws {
        var position = range.start
        while let item = try await stream.read() {
            let length: Int64
            switch item {
            case .data(let bytes): length = Int64(bytes.count)
            case .hole(let size): length = size
            }
            let end = position.addingReportingOverflow(length)
            guard length >= 0, !end.overflow else { throw VirtError.system(EFBIG, .streams, "cannot write to stream") }
            if let limit = range.end, end.partialValue > limit {
                throw VirtError.system(ENOSPC, .streams, "cannot write to stream")
            }
            let start = position
            try await BlockingPool.shared.run {
                switch item {
                case .data(let bytes): try file.write(bytes[...], at: start)
                case .hole: try file.makeHole(at: start, length: length)
                }
            }
            position = end.partialValue
        }
        try await BlockingPool.shared.run { try file.sync() }
    }

    /// The volume is looked at anew, and with it the pool, as libvirt does.
    private func uploaded(_ pool: PoolObject, _ use: VolumeUse) async throws {
        let definition = pool.snapshot.definition
        if let found = try? await backend(of: pool).probe(use.volume, in: definition) {
            pool.update { $0.put(found) }
        }
        use.end()
        try await refresh(pool)
    }

    /// STORAGE_VOL_DOWNLOAD
    func download(
        _ pool: PoolObject, _ name: String, _ range: Range, flags: UInt32
    ) async throws -> @Sendable (ServerStream) async throws -> Void {
        try StorageFlag.check(flags, allowed: Self.sparse, "storageVolDownload")
        let state = pool.snapshot
        try state.requireActive()
        let record = try state.volume(name)
        try record.requireBuilt()
        let file = try await backend(of: pool).open(record.volume, forWriting: false)
        let isSparse = flags & Self.sparse != 0
        return { stream in
            let size = try await BlockingPool.shared.run { try file.size() }
            let end = min(range.end ?? size, size)
            if isSparse {
                try await Self.sendExtents(stream, file, from: range.start, to: end)
            } else {
                try await Self.send(stream, file, from: range.start, to: end)
            }
        }
    }

    private static func send(
        _ stream: ServerStream, _ file: VolumeFile, from start: Int64, to end: Int64
    ) async throws {
        var position = start
        while position < end {
            let place = position
            let count = Int(min(end - position, Int64(readSize)))
            let bytes = try await BlockingPool.shared.run { try file.read(at: place, count: count) }
            if bytes.isEmpty { return }
            try await stream.write(bytes)
            position += Int64(bytes.count)
        }
    }

    private static func sendExtents(
        _ stream: ServerStream, _ file: VolumeFile, from start: Int64, to end: Int64
    ) async throws {
        var position = start
        while position < end {
            let place = position
            let extent = try await BlockingPool.shared.run { file.extent(at: place, end: end) }
            let stop = Int64(extent.end)
            if extent.isData {
                try await send(stream, file, from: place, to: stop)
            } else {
                try await stream.writeHole(stop - place)
            }
            position = max(stop, place + 1)
        }
    }
}

/// A stream's hold on its volume. It ends with the stream, or, if the client left before that began, with the last
/// reference to it.
final class VolumeUse: Sendable {
    let volume: StorageVolume
    private let driver: StorageDriver
    private let pool: PoolObject
    private let isEnded = Atomic(false)

    init(_ driver: StorageDriver, _ pool: PoolObject, _ name: String) throws {
        volume = try driver.beginUse(pool, name, alone: true)
        self.driver = driver
        self.pool = pool
    }

    deinit { end() }

    /// Lets the volume go, once.
    func end() {
        guard !isEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
        driver.endUse(pool, volume.name)
    }
}
