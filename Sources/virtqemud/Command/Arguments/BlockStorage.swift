import QEMUMonitor
import VirtCore
import VirtModel

/// The storage node of an image: how QEMU gets at its bytes.
struct BlockStorage {
    private let source: DiskSource
    private let node: String
    private let isFloppy: Bool
    private let driver: DiskDriver?
    /// Set for nodes that stand alone.
    var readonly: Bool?
    /// A device that QEMU passes on as it is: nothing is said of unmapping, and its secret is named after the node.
    var isBare = false
    /// The image's descriptors, where QEMU is not to open its path.
    var set: CommandEnvironment.ImageSet?

    init(_ source: DiskSource, node: String, driver: DiskDriver? = nil, isFloppy: Bool = false) {
        self.source = source
        self.node = node
        self.driver = driver
        self.isFloppy = isFloppy
    }

    /// libvirt's words for what `cache=` means to QEMU.
    static func cache(_ mode: DiskDriver.Cache?) -> JSONObject? {
        guard let mode else { return nil }
        switch mode {
        case .default: return nil
        case .none, .directsync: return ["direct": true, "no-flush": false]
        case .writethrough, .writeback: return ["direct": false, "no-flush": false]
        case .unsafe: return ["direct": false, "no-flush": true]
        }
    }

    var properties: JSONObject {
        var properties = backend
        properties.add("node-name", node)
        properties.add("cache", Self.cache(driver?.cache))
        if let readonly { properties.add("read-only", readonly) } else { properties.add("auto-read-only", true) }
        if !isBare { properties.add("discard", "unmap") }
        return properties
    }

    private var authSecret: String { isBare ? "\(node)-secret0" : "\(node)-auth-secret0" }

    private var backend: JSONObject {
        switch source.type {
        case .file: return local("file", source.file)
        case .block: return local("host_device", source.dev)
        case .dir:
            return [
                "driver": "vvfat", "dir": .string(source.dir ?? ""), "floppy": .bool(isFloppy), "rw": false,
            ]
        case .nvme:
            let nvme = source.nvme
            return [
                "driver": "nvme", "device": .string(nvme?.address.text ?? ""),
                "namespace": .integer(nvme?.namespace ?? 0),
            ]
        case .network: return network
        case .vhostuser, .vhostvdpa, .volume: return local("file", source.path)
        }
    }

    private func local(_ driver: String, _ path: String?) -> JSONObject {
        var properties: JSONObject = ["driver": .string(driver), "filename": .string(set?.path ?? path ?? "")]
        properties.add("pr-manager", source.reservations.map { $0.managerID(node: node) })
        properties.add("aio", self.driver?.io?.rawValue)
        return properties
    }

    // MARK: Network

    private var network: JSONObject {
        switch source.network.protocol {
        case .nbd: return nbd
        case .http, .https, .ftp, .ftps, .tftp: return url
        case .iscsi: return iscsi
        case .rbd: return rbd
        case .gluster: return gluster
        case .nfs: return nfs
        case .sheepdog:
            return [
                "driver": "sheepdog", "server": .object(inet(source.network.hosts.first)),
                "vdi": .string(source.network.name ?? ""),
            ]
        case .ssh: return ssh
        case .vxhs, nil: return ["driver": "file", "filename": .string(source.network.name ?? "")]
        }
    }

    private func inet(_ host: DiskNetwork.Host?) -> JSONObject {
        if host?.transport == .unix { return ["type": "unix", "path": .string(host?.socket ?? "")] }
        return ["type": "inet", "host": .string(host?.name ?? ""), "port": .string(String(host?.port ?? defaultPort))]
    }

    private var defaultPort: UInt32 {
        switch source.network.protocol {
        case .nbd: 10809
        case .http: 80
        case .https: 443
        case .ftp: 21
        case .ftps: 990
        case .tftp: 69
        case .ssh: 22
        case .iscsi: 3260
        case .gluster: 24007
        case .sheepdog: 7000
        case .rbd, .vxhs, .nfs, nil: 0
        }
    }

    private var nbd: JSONObject {
        var properties: JSONObject = ["driver": "nbd", "server": .object(inet(source.network.hosts.first))]
        properties.add("export", source.network.name)
        if source.network.tls == true {
            properties.add("tls-creds", "obj\(node)_tls0")
            properties.add("tls-hostname", source.network.tlsHostname)
        }
        properties.add("reconnect-delay", source.network.reconnect?.delay)
        return properties
    }

    private var url: JSONObject {
        let network = source.network
        let host = network.hosts.first
        let name = host?.name ?? ""
        let place = name.contains(":") ? "[\(name)]" : name
        let path = network.name ?? ""
        let text =
            "\(network.protocol?.rawValue ?? "http")://\(place):\(host?.port ?? defaultPort)"
            + (path.hasPrefix("/") ? path : "/" + path) + (network.query.map { "?" + $0 } ?? "")
        var properties: JSONObject = ["driver": .string(network.protocol?.rawValue ?? "http"), "url": .string(text)]
        if let auth = source.auth?.userName {
            properties.add("username", auth)
            properties.add("password-secret", node + "-auth-secret0")
        }
        properties.add("sslverify", network.sslVerify)
        if !network.cookies.isEmpty { properties.add("cookie-secret", node + "-httpcookie-secret0") }
        properties.add("timeout", network.timeout)
        properties.add("readahead", network.readahead)
        return properties
    }

    private var iscsi: JSONObject {
        let network = source.network
        let parts = (network.name ?? "").split(separator: "/", maxSplits: 1)
        let host = network.hosts.first
        let name = host?.name ?? ""
        let portal = (name.contains(":") ? "[\(name)]" : name) + ":\(host?.port ?? defaultPort)"
        var properties: JSONObject = [
            "driver": "iscsi", "portal": .string(portal), "target": .string(String(parts.first ?? "")),
            "lun": .integer(parts.count > 1 ? UInt32(parts[1]) ?? 0 : 0),
            "transport": "tcp",
        ]
        if let user = source.auth?.userName {
            properties.add("user", user)
            properties.add("password-secret", authSecret)
        }
        properties.add("initiator-name", network.initiatorIQN)
        return properties
    }

    private var rbd: JSONObject {
        let network = source.network
        let parts = (network.name ?? "").split(separator: "/", maxSplits: 1).map(String.init)
        var properties: JSONObject = ["driver": "rbd", "pool": .string(parts.first ?? "")]
        properties.add("image", parts.count > 1 ? parts[1] : "")
        properties.add("snapshot", network.snapshot)
        properties.add("conf", network.configFile)
        if !network.hosts.isEmpty {
            let servers = network.hosts.map { host -> JSONValue in
                ["host": .string(host.name ?? ""), "port": .string(String(host.port ?? 0))]
            }
            properties.add("server", .array(servers))
        }
        if let encryption = source.encryption, encryption.engine == .librbd {
            properties.add(
                "encrypt",
                [
                    "format": .string(encryption.format.rawValue),
                    "key-secret": .string(node.replacingSuffix("-storage", "-format") + "-encryption-secret0"),
                ] as JSONObject)
        }
        if let user = source.auth?.userName {
            properties.add("user", user)
            properties.add("auth-client-required", ["cephx", "none"] as JSONValue)
            properties.add("key-secret", node + "-auth-secret0")
        }
        return properties
    }

    private var gluster: JSONObject {
        let network = source.network
        let parts = (network.name ?? "").split(separator: "/", maxSplits: 1).map(String.init)
        let servers = network.hosts.map { JSONValue.object(inet($0)) }
        return [
            "driver": "gluster", "volume": .string(parts.first ?? ""), "path": .string(parts.count > 1 ? parts[1] : ""),
            "server": .array(servers), "debug": 4,
        ]
    }

    private var nfs: JSONObject {
        let network = source.network
        var properties: JSONObject = [
            "driver": "nfs", "server": ["host": .string(network.hosts.first?.name ?? ""), "type": "inet"],
            "path": .string(network.name ?? ""),
        ]
        if let identity = network.identity {
            properties.add("user", identity.user.map(Self.number))
            properties.add("group", identity.group.map(Self.number))
        }
        return properties
    }

    private static func number(_ text: String) -> UInt32 { UInt32(text.drop { $0 == "+" }) ?? 0 }

    private var ssh: JSONObject {
        let host = source.network.hosts.first
        var properties: JSONObject = ["driver": "ssh", "path": .string(source.network.name ?? "")]
        properties.add(
            "server",
            ["host": .string(host?.name ?? ""), "port": .string(String(host?.port ?? defaultPort))] as JSONObject)
        properties.add("user", source.network.identity?.userName)
        return properties
    }
}

extension String {
    func replacingSuffix(_ suffix: String, _ other: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) + other : self
    }
}
