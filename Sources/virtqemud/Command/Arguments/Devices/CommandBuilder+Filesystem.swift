import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addFilesystems() throws(VirtError) {
        for filesystem in devices.filesystems {
            let alias = filesystem.info.alias ?? ""
            var properties: JSONObject
            if filesystem.driver == .virtiofs {
                let socket = filesystem.sourceSocket ?? "\(environment.libraryDirectory)/\(alias)-fs.sock"
                add("-chardev", "socket,id=chr-vu-\(alias),path=\(KeyValueText.escape(socket))")
                let driver = virtioDriver("vhost-user-fs", filesystem.info, model: filesystem.model?.rawValue)
                properties = ["driver": .string(driver)]
                addVirtio(filesystem.virtio, to: &properties)
                properties.add("id", alias)
                properties.add("chardev", "chr-vu-\(alias)")
                properties.add("queue-size", filesystem.queueSize)
                properties.add("tag", filesystem.targetDirectory)
                properties.add("bootindex", filesystem.info.boot?.order)
            } else {
                add("-fsdev", fsdev(filesystem, alias))
                let driver = virtioDriver("virtio-9p", filesystem.info, model: filesystem.model?.rawValue)
                properties = ["driver": .string(driver)]
                addVirtio(filesystem.virtio, to: &properties)
                properties.add("id", alias)
                properties.add("fsdev", "fsdev-\(alias)")
                properties.add("mount_tag", filesystem.targetDirectory)
            }
            try addAddress(filesystem.info, to: &properties)
            add(device: properties)
        }
    }

    private func fsdev(_ filesystem: Filesystem, _ alias: String) -> String {
        var options = [filesystem.driver == .handle ? "handle" : "local"]
        if filesystem.driver != .handle {
            let models: [Filesystem.AccessMode: String] = [.mapped: "mapped", .squash: "none"]
            options.append("security_model=\(models[filesystem.accessMode ?? .passthrough] ?? "passthrough")")
            if let multidevs = filesystem.multidevs { options.append("multidevs=\(multidevs.rawValue)") }
            if let mode = filesystem.createMode { options.append("fmode=" + Self.octal(mode)) }
            if let mode = filesystem.directoryMode { options.append("dmode=" + Self.octal(mode)) }
        }
        if let policy = filesystem.writePolicy { options.append("writeout=\(policy.rawValue)") }
        options += ["id=fsdev-\(alias)", "path=\(KeyValueText.escape(filesystem.sourceDirectory ?? ""))"]
        if filesystem.readonly { options.append("readonly") }
        return options.joined(separator: ",")
    }

    private static func octal(_ value: UInt32) -> String {
        let digits = String(value, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }
}
