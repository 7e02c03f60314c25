import QEMUCommand
import VirtModel

/// A long-running operation of QEMU's on a disk's images, and what is to be done when it ends.
struct BlockJob: Sendable, Equatable {
    /// What the job does; the words are those of status files.
    enum Kind: String, Sendable {
        case pull, copy, commit
        case activeCommit = "active-commit"
        case backup
        /// Formats a new image.
        case create
        /// A job of a status file that made no sense: it is only cancelled.
        case broken

        /// virDomainBlockJobType; nil for jobs that clients are not told of.
        var number: Int32? {
            switch self {
            case .pull: 1
            case .copy: 2
            case .commit: 3
            case .activeCommit: 4
            case .backup: 5
            case .create, .broken: nil
            }
        }
    }

    /// The words of status files.
    enum State: String, Sendable {
        case completed, failed, cancelled, ready, new, running, concluded, aborting, pivoting

        /// What QEMU's JOB_STATUS_CHANGE says; nil for what changes nothing.
        init?(monitorStatus: String) {
            switch monitorStatus {
            case "ready": self = .ready
            case "concluded": self = .concluded
            default: return nil
            }
        }

        var isRunning: Bool {
            switch self {
            case .running, .ready, .aborting, .pivoting: true
            case .completed, .failed, .cancelled, .new, .concluded: false
            }
        }

        /// virConnectDomainEventBlockJobStatus; nil for what clients are not told of.
        var number: Int32? {
            switch self {
            case .completed: 0
            case .failed: 1
            case .cancelled: 2
            case .ready: 3
            case .new, .running, .concluded, .aborting, .pivoting: nil
            }
        }
    }

    var name: String
    var kind: Kind
    var state = State.new
    /// What QEMU reported and nobody has acted upon yet.
    var newState: State?
    /// The flags of the call that started it; nil when an older daemon did not say.
    var flags: UInt32?
    /// The target name of its disk.
    var disk: String?
    var error: String?
    /// Numbers of images: the one below the job, the uppermost that goes, and the one above that.
    var base: UInt32?
    var top: UInt32?
    var topParent: UInt32?
    var deletesImages = false
    /// The copy is on top of the old chain's images.
    var isShallowNew = false
    var hasMirror = false
    /// The image that is made (`create`), with whether it is its file, or that a backup writes.
    var image: ChainImage?
    var makesStorage = false
    /// The temporary bitmap of a backup.
    var bitmap: String?
    /// Images that are given up with a job that has no disk any more.
    var chain: ImageChain?
    var mirrorChain: ImageChain?
    var brokenKind: Kind?
    /// The status file did not say enough.
    var isInvalid = false
    /// A call waits for the end and sees to it itself.
    var isSynchronous = false

    init(_ kind: Kind, name: String, disk: String? = nil, flags: UInt32? = 0) {
        self.kind = kind
        self.name = name
        self.disk = disk
        self.flags = flags
    }

    /// `copy-vda-libvirt-1-format`.
    static func name(_ kind: String, _ disk: String, _ index: UInt32?) -> String {
        "\(kind)-\(disk)-\(ImageNodes.formatName(index))"
    }
}

extension GuestRuntime {
    func blockJob(_ name: String) -> BlockJob? { blockJobs.first { $0.name == name } }

    /// The job of a disk.
    func blockJob(ofDisk target: String) -> BlockJob? { blockJobs.first { $0.disk == target } }

    /// Changes a job, if it is still there.
    mutating func changeBlockJob(_ name: String, _ change: (inout BlockJob) -> Void) {
        guard let index = blockJobs.firstIndex(where: { $0.name == name }) else { return }
        change(&blockJobs[index])
    }
}

extension ImageChain {
    /// Where the image with a number is.
    func position(_ index: UInt32?) -> Int? {
        guard let index else { return nil }
        return images.firstIndex { $0.source.index == index }
    }
}

extension GuestRuntime {
    /// The files that running jobs write, which are QEMU's meanwhile.
    func filesOfJobs(_ domain: Domain) -> [OwnedFile] {
        let copies = domain.devices.disks.compactMap { disk -> OwnedFile? in
            guard let mirror = disk.mirror, mirror.job == .copy else { return nil }
            return mirror.source.localPath.map { OwnedFile(path: $0, remembered: true) }
        }
        let made = blockJobs.compactMap { $0.image?.source.localPath }.map { OwnedFile(path: $0, remembered: true) }
        return copies + made
    }
}
