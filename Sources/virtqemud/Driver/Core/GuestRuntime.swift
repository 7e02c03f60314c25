import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtOS

/// What a running guest has besides its definition: the private part of its status file, and its process and monitor.
struct GuestRuntime: Sendable {
    /// A taint flag, as `dominfo` and the log name it.
    enum Taint: String, Sendable, CaseIterable {
        case customArgv = "custom-argv"
        case customMonitor = "custom-monitor"
        case highPrivileges = "high-privileges"
        case shellScripts = "shell-scripts"
        case diskProbing = "disk-probing"
        case externalLaunch = "external-launch"
        case hostCPU = "host-cpu"
        case hookScript = "hook-script"
        case cdromPassthrough = "cdrom-passthrough"
        case customDTB = "custom-dtb"
        case customGAFile = "custom-ga-command"
        case customHypervisorFeature = "custom-hypervisor-feature"
        case deprecatedConfig = "deprecated-config"
    }

    /// How a guest-wide number is linked to a host thread.
    struct VCPU: Sendable, Equatable {
        var thread: Int32?
        var isOnline: Bool
        /// The guest's QOM path of the processor.
        var qomPath: String?
        var isHalted = false
    }

    struct IOThread: Sendable, Equatable {
        let id: UInt32
        var thread: Int32
    }

    let id: Int32
    var pid: Int32 = 0
    var process: RunningChild?
    var monitor: QEMUMonitor?
    var libraryPath: String
    var channelPath: String
    var monitorPath: String { libraryPath + "/monitor.sock" }
    var vcpus: [VCPU] = []
    var ioThreads: [IOThread] = []
    /// The aliases of the devices that QEMU has.
    var devices: [String] = []
    var flags: Set<QEMUFlag> = []
    /// The highest number of an image so far.
    var nodeIndex: UInt32 = 0
    var descriptorSetIndex: UInt32 = 0
    /// Nil where the guest runs without control groups.
    var cgroup: GuestCgroup?
    var taints: Set<Taint> = []
    /// The guest was asked to reboot by shutting down: it is reset instead of ended.
    var fakeReboot = false
    var usesLogDaemon = true
    var remembersOwner = true
    var blockJobs: [BlockJob] = []
    /// The backup that runs.
    var backup: BackupJob?
    /// virtlockd holds the guest's locks.
    var holdsLocks = false
    var agentTimeout: Int32 = -2
    /// The `<cpu>` of the definition before the host's answer was put in, as XML.
    var originalCPU: String?
    /// The system's reason behind the next STOP or RESUME event, set by the operation that causes it.
    var pendingPause: DomainState.Paused?
    var pendingRunning: DomainState.Running?
    /// The guest ended by itself or by a destroy: the end of the monitor is no crash.
    var stopReason: DomainState.Shutoff?
    /// Ports of displays that are to be given back.
    var displayPorts: [Int32] = []
    var websocketPorts: [Int32] = []
    /// Files that were given to QEMU, with whether their owner was remembered.
    var ownedFiles: [OwnedFile] = []
    /// Descriptors that live as long as the guest.
    var shutdownDetail: DomainEvent.Lifecycle.Shutdown?

    struct OwnedFile: Sendable, Equatable {
        let path: String
        let remembered: Bool
    }

    init(id: Int32, libraryPath: String, channelPath: String) {
        self.id = id
        self.libraryPath = libraryPath
        self.channelPath = channelPath
    }
}
