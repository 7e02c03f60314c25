import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Descriptors that packages install for QEMU's management, in the directories of QEMU's interoperation rules.
enum InteropFiles {
    /// The paths of the files of a kind, in the order of their names: a file of /etc hides one of the same name in /usr,
    /// an empty one only hides. Blocks.
    static func paths(_ kind: String) -> [String] {
        var paths: [String: String] = [:]
        for directory in ["/usr/share/qemu/\(kind)", "/etc/qemu/\(kind)"] {
            for name in SysFile.names(directory) where !name.hasPrefix(".") { paths[name] = "\(directory)/\(name)" }
        }
        return paths.sorted { $0.key < $1.key }.map(\.value).filter { path in
            var status = stat()
            return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_size > 0
        }
    }

    /// A file's contents. Blocks.
    static func parse(_ path: String) throws(VirtError) -> JSONValue {
        guard let bytes = try? FileSystem.read(path, limit: 1 << 20), let value = try? JSONParser.parse(bytes) else {
            throw VirtError(.internalError, .qemu, "unable to parse json file '\(path)'")
        }
        return value
    }
}

/// A program that serves a vhost-user device.
struct VhostUserDescriptor {
    let type: String
    let binary: String

    /// The program for a video device, by what it says of itself; one that renders gets the host's device to render with.
    static func program(for video: inout Video) async throws -> String {
        var acceleration = video.acceleration ?? Video.Acceleration()
        let all = try await BlockingPool.shared.run { try descriptors(of: "gpu") }
        for candidate in all {
            let output = try? await ChildProcess.run(
                candidate.binary, ["--print-capabilities"], timeout: .seconds(10))
            guard let output, output.status.isSuccess, let answer = try? JSONParser.parse(output.stdout) else {
                continue
            }
            let features = (answer["features"]?.array ?? []).compactMap(\.string)
            if acceleration.accel3D == true, !features.contains("virgl") { continue }
            let renders = features.contains("render-node")
            if acceleration.renderNode != nil, !renders { continue }
            if acceleration.renderNode == nil, renders {
                acceleration.renderNode = try await BlockingPool.shared.run { try RenderNode.first() }
            }
            video.acceleration = acceleration
            return candidate.binary
        }
        throw VirtError(.operationFailed, .qemu, "Unable to find a satisfying vhost-user-gpu")
    }

    /// Notes virtiofsd's path in a document that leaves it open.
    static func findProgram(for filesystem: inout Filesystem) async throws {
        guard filesystem.driver == .virtiofs, filesystem.sourceSocket == nil, filesystem.binary?.path == nil else {
            return
        }
        let all = try await BlockingPool.shared.run { try descriptors(of: "fs") }
        guard let found = all.first else {
            throw VirtError(.operationFailed, .qemu, "Unable to find a satisfying virtiofsd")
        }
        var binary = filesystem.binary ?? Filesystem.Binary()
        binary.path = found.binary
        filesystem.binary = binary
    }

    private static func descriptors(of type: String) throws(VirtError) -> [VhostUserDescriptor] {
        var all: [VhostUserDescriptor] = []
        for path in InteropFiles.paths("vhost-user") { all.append(try VhostUserDescriptor(path)) }
        return all.filter { $0.type == type }
    }

    private init(_ path: String) throws(VirtError) {
        let value = try InteropFiles.parse(path)
        guard let type = value["type"]?.string else {
            throw VirtError(.internalError, .qemu, "failed to get type from '\(path)'")
        }
        guard let binary = value["binary"]?.string else {
            throw VirtError(.internalError, .qemu, "failed to get vhost-user binary from '\(path)'")
        }
        self.type = type
        self.binary = binary
    }
}
