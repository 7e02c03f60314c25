import Glibc
import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

/// A picture of a guest's screen in a file of its own.
struct Screenshot: Sendable {
    let path: String
    let type: String

    /// Sends the file in pieces.
    func send(to stream: ServerStream) async throws {
        let path = self.path
        let file = try await BlockingPool.shared.run { DescriptorBox(try OwnedDescriptor(opening: path, O_RDONLY)) }
        while true {
            let bytes = try await BlockingPool.shared.run { try Self.piece(file, path) }
            if bytes.isEmpty { return }
            try await stream.write(bytes)
        }
    }

    private static func piece(_ file: DescriptorBox, _ path: String) throws(VirtError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 262_144)
        while true {
            let count = unsafe Glibc.read(file.rawValue, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(errno, .qemu, "cannot read '\(path)'") }
            return Array(bytes.prefix(count))
        }
    }
}

extension DomainActor {
    /// virDomainScreenshot: QEMU writes the picture, as PNG where it can, into a file of the guest's directory.
    func screenshot(screen: UInt32, _ client: ClientHandle) async throws -> Screenshot {
        _ = try running()
        return try await withJob(.query, "virDomainScreenshot", client: client.id) {
            let (domain, runtime) = try self.running()
            let videos = domain.devices.videos
            guard let video = videos.first else {
                throw VirtError(.internalError, .qemu, "no screens to take screenshot from")
            }
            guard screen == 0 || Int(clamping: screen) < Int(clamping: video.heads ?? 1) else {
                throw VirtError(.operationInvalid, .qemu, "no such screen ID")
            }
            let path = try self.temporaryFile(runtime.libraryPath + "/qemu.screendump.XXXXXX")
            do {
                var arguments: JSONObject = ["filename": .string(path)]
                let isPNG = runtime.flags.contains(.screenshotFormatPng)
                if isPNG { arguments["format"] = "png" }
                if screen > 0, let alias = video.info.alias {
                    arguments["device"] = .string(alias)
                    arguments["head"] = .integer(screen)
                }
                try await self.command("screendump", .object(arguments))
                return Screenshot(path: path, type: isPNG ? "image/png" : "image/x-portable-pixmap")
            } catch {
                unsafe unlink(path)
                throw error
            }
        }
    }
}
