import VirtCore
import VirtModel
import VirtOS

/// Snapshots inside the qcow2 images of a domain that does not run: qemu-img's work.
enum ImageSnapshots {
    private static let log = Logger("qemu.snapshot")
    private static let timeout = Duration.seconds(24 * 3600)

    /// Makes one in each image; on failure those that were made go again.
    static func create(_ name: String, of domain: Domain) async throws {
        let images = try images(of: domain)
        for (index, image) in images.enumerated() {
            do {
                guard image.format == nil || image.format == "qcow2" else { throw unsupported(image) }
                try await run(["snapshot", "-c", name, image.path])
            } catch {
                for made in images[..<index] {
                    do {
                        try await run(["snapshot", "-d", name, made.path])
                    } catch {
                        log.warning("cannot remove snapshot '\(name)' of '\(made.path)': \(error)")
                    }
                }
                throw error
            }
        }
    }

    /// Takes all images back to their snapshots, as far as they have them.
    ///
    /// - Returns: false when an image was skipped.
    static func revert(_ name: String, of domain: Domain) async throws -> Bool {
        try await applyToAll("-a", name, domain)
    }

    /// Deletes the images' snapshots; an image that has none is skipped.
    static func delete(_ name: String, of domain: Domain) async throws {
        _ = try await applyToAll("-d", name, domain)
    }

    private static func applyToAll(_ option: String, _ name: String, _ domain: Domain) async throws -> Bool {
        var isComplete = true
        for image in try images(of: domain) {
            do {
                guard image.format == nil || image.format == "qcow2" else { throw unsupported(image) }
                try await run(["snapshot", option, name, image.path])
            } catch let error as VirtError {
                log.warning("skipping snapshot action on \(image.target): \(error.message)")
                isComplete = false
            }
        }
        return isComplete
    }

    private struct Image {
        let target: String
        let path: String
        let format: String?
    }

    private static func images(of domain: Domain) throws(VirtError) -> [Image] {
        var images: [Image] = []
        for disk in domain.devices.disks where disk.device == .disk && !disk.source.isEmpty {
            guard let path = disk.source.localPath else {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "can't manipulate inactive snapshots of disk '\(disk.target.dev ?? "")'")
            }
            images.append(Image(target: disk.target.dev ?? "", path: path, format: disk.driver?.type))
        }
        return images
    }

    private static func unsupported(_ image: Image) -> VirtError {
        VirtError(.operationInvalid, .qemu, "Disk device '\(image.target)' does not support snapshotting")
    }

    /// Makes an image whose content is that of another one for now.
    static func createOverlay(_ path: String, format: String, below: String, _ belowFormat: String) async throws {
        let backing = below.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
        try await run([
            "create", "-f", format, "-o", "backing_fmt=\(belowFormat),backing_file=\(backing)", path,
        ])
    }

    private static func run(_ arguments: [String]) async throws {
        guard let program = ChildProcess.find("qemu-img") else {
            throw VirtError(.internalError, .qemu, "unable to find qemu-img")
        }
        let child = ChildProcess(program, arguments)
        let output = try await ChildProcess.run(child, timeout: timeout)
        guard output.status.isSuccess else { throw ChildProcess.failure(child.commandLine, output) }
    }
}
