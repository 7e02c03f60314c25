import Glibc
import QEMUMonitor
import VirtCore
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

    /// The program for a graphics card, by what it says of itself. Blocks.
    static func forGPU(accelerated: Bool, renderNode: Bool) async throws -> (binary: String, features: [String]) {
        let all = try InteropFiles.paths("vhost-user").map { path in try VhostUserDescriptor(path) }
        for candidate in all where candidate.type == "gpu" {
            let output = try? await ChildProcess.run(
                candidate.binary, ["--print-capabilities"], timeout: .seconds(10))
            guard let output, output.status.isSuccess, let answer = try? JSONParser.parse(output.stdout) else {
                continue
            }
            let features = (answer["features"]?.array ?? []).compactMap(\.string)
            if accelerated, !features.contains("virgl") { continue }
            if renderNode, !features.contains("render-node") { continue }
            return (candidate.binary, features)
        }
        throw VirtError(.operationFailed, .qemu, "Unable to find a satisfying vhost-user-gpu")
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
