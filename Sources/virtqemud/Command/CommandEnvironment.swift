import VirtCore

/// What a command line depends on besides the guest and QEMU: the driver's configuration, and what was opened or made
/// for this start.
package struct CommandEnvironment: Sendable, Equatable {
    /// The guest's own directory, /var/lib/libvirt/qemu/domain-ID-NAME.
    package var libraryDirectory: String
    /// Where the guest's channel sockets are.
    package var channelDirectory: String
    /// `PATH` of the QEMU process.
    package var searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    package var timestampsLog = true
    package var setsProcessName = true
    package var dumpsGuestCore = false
    package var usesSandbox = true
    package var monitor: Monitor
    /// The network backends by the interface's alias; one that is missing gets a tap with an invented descriptor.
    package var interfaces: [String: InterfaceBackend] = [:]
    /// Descriptors of character devices by the device's alias ("serial0").
    package var characters: [String: CharacterBackend] = [:]
    /// The sets of descriptors of the host's TPMs by the device's alias; one that is missing gets invented ones.
    package var tpms: [String: TPMSets] = [:]
    /// The sockets of TPM emulators by the device's alias.
    package var tpmSockets: [String: String] = [:]
    /// Connections to programs that serve a device, by the device's alias.
    package var vhostUserDescriptors: [String: Int32] = [:]
    /// Images that a client opened, by their numbers (`libvirt-N-storage`).
    package var images: [UInt32: ImageSet] = [:]
    /// The numbers of SCSI generic devices ("sg3") by the alias of the host device.
    package var scsiGeneric: [String: String] = [:]
    /// The certificates of TLS for character devices and NBD.
    package var characterTLS = CertificateStore()
    package var nbdTLS = CertificateStore()
    /// The socket of the guest's own D-Bus daemon, for displays without an address.
    package var dbusSocket = ""
    /// The devices of vdpa interfaces by the device's alias.
    package var vdpa: [String: DescriptorSet] = [:]
    /// Descriptors of vhost devices (vsock, scsi_host) by alias.
    package var vhostDescriptors: [String: Int32] = [:]
    /// Secrets by their id on the command line ("libvirt-1-format-encryption-secret0"), encrypted with the master key.
    package var secrets: [String: EncryptedSecret] = [:]
    /// Set for a start: the end of each backing chain says so, which a line for `domxml-to-native` leaves out.
    package var endsBackingChains = false
    /// `-incoming`.
    package var incoming: String?
    /// An internal snapshot to start from.
    package var snapshot: String?
    /// Where file-backed guest memory is, with the guest's own part.
    package var memoryDirectory: String
    /// The guest's directories on hugetlbfs, by page size in KiB.
    package var hugepageDirectories: [UInt64: String] = [:]
    /// The size of huge pages that are taken when a guest names none, in KiB.
    package var defaultHugepageSize: UInt64?
    /// Seconds since 1970 on the host's clock when the guest starts: the base of clocks that are an offset from it.
    package var now: Int64 = 0
    /// The host's node for rendering, for guests that name none.
    package var renderNode: String?
    /// libvirt's name of the host's architecture.
    package var hostArchitecture = "x86_64"
    /// The host's NUMA nodes; nil where nobody looked.
    package var hostNodes: [UInt32]?
    /// The nodes that numad chose for a guest that leaves the choice to it.
    package var numaAdvice: [UInt32]?
    /// Whether PCI devices of the host can be given away.
    package var hasVFIO = true
    /// TLS and authentication of graphics, from the configuration.
    package var graphics = GraphicsSecurity()

    package init(libraryDirectory: String, channelDirectory: String, memoryDirectory: String, monitor: Monitor? = nil) {
        self.libraryDirectory = libraryDirectory
        self.channelDirectory = channelDirectory
        self.memoryDirectory = memoryDirectory
        self.monitor = monitor ?? .path(libraryDirectory + "/monitor.sock")
    }

    /// The environment that C libvirt shows for a guest that is not started.
    package static func native(name: String, root: String = "/var/lib/libvirt/qemu") -> CommandEnvironment {
        let short = "-1-" + String(String.UnicodeScalarView(name.unicodeScalars.prefix(20)))
        return CommandEnvironment(
            libraryDirectory: "\(root)/domain-\(short)", channelDirectory: "\(root)/channel/target/domain-\(short)",
            memoryDirectory: "\(root)/ram/\(short)")
    }

    package enum Monitor: Sendable, Equatable {
        case path(String)
        /// A listening socket.
        case descriptor(Int32)
    }

    /// The descriptors of a tap device, and of vhost-net for each of its queues.
    package struct InterfaceBackend: Sendable, Equatable {
        package var tap: [Int32]
        package var vhost: [Int32]

        package init(tap: [Int32], vhost: [Int32] = []) {
            self.tap = tap
            self.vhost = vhost
        }
    }

    /// What QEMU gets instead of a path.
    package struct CharacterBackend: Sendable, Equatable {
        /// A listening socket.
        package var socket: Int32?
        /// The file of a `file` device: the number of its set, and the descriptor.
        package var file: (set: Int32, descriptor: Int32)?
        /// The log file.
        package var log: (set: Int32, descriptor: Int32)?

        package init(
            socket: Int32? = nil, file: (set: Int32, descriptor: Int32)? = nil,
            log: (set: Int32, descriptor: Int32)? = nil
        ) {
            self.socket = socket
            self.file = file
            self.log = log
        }

        package static func == (left: CharacterBackend, right: CharacterBackend) -> Bool {
            left.socket == right.socket && left.file?.set == right.file?.set
                && left.file?.descriptor == right.file?.descriptor && left.log?.set == right.log?.set
                && left.log?.descriptor == right.log?.descriptor
        }
    }

    /// A descriptor in a set that QEMU opens as /dev/fdset/NUMBER.
    package struct DescriptorSet: Sendable, Equatable {
        package var number: Int32
        package var descriptor: Int32

        package init(number: Int32, descriptor: Int32) {
            self.number = number
            self.descriptor = descriptor
        }
    }

    /// An image that QEMU gets as descriptors, of which it takes the one that is open as it needs it.
    package struct ImageSet: Sendable, Equatable {
        package var number: Int32
        package var descriptors: [Int32]

        package init(number: Int32, descriptors: [Int32]) {
            self.number = number
            self.descriptors = descriptors
        }

        var path: String { "/dev/fdset/\(number)" }
    }

    /// A TPM of the host: its device, and the file that cancels a command.
    package struct TPMSets: Sendable, Equatable {
        package var device: DescriptorSet
        package var cancel: DescriptorSet

        package init(device: DescriptorSet, cancel: DescriptorSet) {
            self.device = device
            self.cancel = cancel
        }
    }

    /// Where certificates are.
    package struct CertificateStore: Sendable, Equatable {
        package var directory = "/etc/pki/qemu"
        /// Whether a server wants its clients to have certificates.
        package var verifiesPeers = true

        package init() {}

        func credentials(id: String, isServer: Bool) -> JSONObject {
            [
                "qom-type": "tls-creds-x509", "id": .string(id), "dir": .string(directory),
                "endpoint": isServer ? "server" : "client", "verify-peer": .bool(isServer ? verifiesPeers : true),
            ]
        }
    }

    /// A secret that QEMU decrypts with the guest's master key.
    package struct EncryptedSecret: Sendable, Equatable {
        /// Base64.
        package var data: String
        package var iv: String

        package init(data: String, iv: String) {
            self.data = data
            self.iv = iv
        }
    }

    package struct GraphicsSecurity: Sendable, Equatable {
        /// Directories with certificates; nil: no TLS.
        package var vncTLS: String?
        package var spiceTLS: String?
        package var vncSASL = false
        package var spiceSASL = false
        /// Whether guests without a password of their own have one from the configuration.
        package var vncPassword = false
        package var spicePassword = false
        package var vncListen = "127.0.0.1"
        package var spiceListen = "127.0.0.1"

        package init() {}
    }
}
