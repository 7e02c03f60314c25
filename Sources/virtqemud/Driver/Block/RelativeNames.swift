import VirtCore
import VirtModel
import VirtOS

/// The names by which images' headers speak of the images below them.
enum RelativeNames {
    /// For each image the relative name that the one above has for it; nil where it is absolute or unknown.
    static func read(_ chain: ImageChain) async throws -> [String?] {
        let paths = chain.images.map(\.source.localPath)
        return try await BlockingPool.shared.run {
            var names: [String?] = paths.map { _ in nil }
            for (position, path) in paths.enumerated().dropLast() {
                guard let path, let start = try? FileSystem.start(of: path, ImageProbe.headerSize),
                    let backing = ImageProbe.metadata(start).backingPath
                else { continue }
                let isRelative = !backing.hasPrefix("/") && ImageProbe.isLocal(backing)
                names[position + 1] = isRelative ? backing : nil
            }
            return names
        }
    }

    /// The name of the last image as seen from where the first name stands; nil when one of them is not relative.
    static func join(_ names: [String?]) -> String? {
        var path = ""
        for name in names {
            guard let name else { return nil }
            let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
            path = directory + name
        }
        return path
    }
}
