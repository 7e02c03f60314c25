import VirtDaemon

/// Where the driver keeps its files: libvirt's places, under the daemon's root.
struct DriverPaths: Sendable {
    let configuration: String
    let autostart: String
    let state: String
    let library: String
    let cache: String
    let log: String
    let hooks: String
    let run: String
    let qemuConf: String
    let isSession: Bool
    /// The states of emulated TPMs, and what their emulators log.
    let swtpmStorage: String
    let swtpmLog: String
    private let etc: String

    init(_ paths: DaemonPaths) {
        configuration = paths.etcLibvirt + "/qemu"
        autostart = paths.etcLibvirt + "/qemu/autostart"
        isSession = paths.isSession
        etc = paths.etcLibvirt
        state = paths.isSession ? paths.runLibvirt + "/qemu/run" : paths.runLibvirt + "/qemu"
        library = paths.isSession ? paths.etcLibvirt + "/qemu" : paths.varLibLibvirt + "/qemu"
        cache = paths.varCacheLibvirt + "/qemu"
        log = paths.isSession ? paths.varCacheLibvirt + "/qemu/log" : paths.varLogLibvirt + "/qemu"
        swtpmStorage = paths.isSession ? paths.etcLibvirt + "/qemu/swtpm" : paths.varLibLibvirt + "/swtpm"
        swtpmLog = paths.isSession ? log : paths.path("/var/log/swtpm/libvirt/qemu")
        hooks = paths.etcLibvirt + "/hooks"
        run = paths.runLibvirt
        qemuConf = paths.etcLibvirt + "/qemu.conf"
    }

    var lockSocket: String { run + "/virtlockd-sock" }
    var lockConf: String { etc + "/qemu-lockd.conf" }
    var channelTarget: String { library + "/channel/target" }
    var save: String { library + "/save" }
    var dump: String { library + "/dump" }
    var snapshot: String { library + "/snapshot" }
    var checkpoint: String { library + "/checkpoint" }
    var nvram: String { library + "/nvram" }
    var ram: String { library + "/ram" }
    var swtpmState: String { state + "/swtpm" }

    func managedSave(_ name: String) -> String { "\(save)/\(name).save" }
    func status(_ name: String) -> String { "\(state)/\(name).xml" }
    func pidFile(_ name: String) -> String { "\(state)/\(name).pid" }
    func logFile(_ name: String) -> String { "\(log)/\(name).log" }

    /// `ID-NAME` with at most 20 characters of the name, whatever they are.
    static func numberedName(_ name: String, id: Int32) -> String {
        "\(id)-" + String(String.UnicodeScalarView(name.unicodeScalars.prefix(20)))
    }

    /// The same with `domain-` before it.
    static func shortName(_ name: String, id: Int32) -> String { "domain-" + numberedName(name, id: id) }

    func domainLibrary(_ name: String, id: Int32) -> String { library + "/" + Self.shortName(name, id: id) }
    /// Where the guest's memory is, when it is in files.
    func domainMemory(_ name: String, id: Int32) -> String {
        ram + "/" + Self.numberedName(name, id: id)
    }

    func domainChannels(_ name: String, id: Int32) -> String { channelTarget + "/" + Self.shortName(name, id: id) }
}
