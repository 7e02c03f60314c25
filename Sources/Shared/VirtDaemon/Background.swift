import CLinux
import Glibc
import VirtCore

/// At which step of its start a daemon failed; the parent of `-d` says it.
enum StartStep: UInt8 {
    case none = 0
    case pidFile
    case runDirectory
    case initialisation
    case signals
    case privileges
    case network
    case configuration
    case hooks
    case audit
    case driver

    var text: String {
        switch self {
        case .none: "Initialization successful"
        case .pidFile: "Unable to obtain pidfile"
        case .runDirectory: "Unable to create rundir"
        case .initialisation: "Unable to initialize libvirt"
        case .signals: "Unable to setup signal handlers"
        case .privileges: "Unable to drop privileges"
        case .network: "Unable to initialize network sockets"
        case .configuration: "Unable to load configuration file"
        case .hooks: "Unable to look for hook scripts"
        case .audit: "Unable to initialize audit system"
        case .driver: "Unable to initialize driver"
        }
    }
}

/// The background half of a `-d` daemon: its parent waits in `enter` for one byte about the start.
struct Background: Sendable {
    private let statusPipe: Int32

    /// Forks into the background; returns in the daemon only. To be called before any thread is started.
    static func enter(program: String) throws(VirtError) -> Background {
        var ends: [Int32] = [0, 0]
        let made = unsafe clinux_pipe(&ends, false)
        guard made >= 0 else { throw .system(-made, .none, "cannot make a pipe") }
        let child = clinux_fork()
        guard child >= 0 else { throw .system(-child, .none, "cannot fork") }
        if child > 0 {
            close(ends[1])
            wait(for: child, ends[0], program)
        }
        close(ends[0])
        detach()
        return Background(statusPipe: ends[1])
    }

    /// Tells the parent how the start went, once.
    func report(_ step: StartStep) {
        var byte = step.rawValue
        while unsafe write(statusPipe, &byte, 1) < 0, errno == EINTR {}
        close(statusPipe)
    }

    /// A session of its own, nothing to a terminal, no directory kept busy.
    private static func detach() {
        let null = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        for descriptor: Int32 in 0...2 { dup2(null, descriptor) }
        if null > 2 { close(null) }
        setsid()
        // Not the session's leader any more: it can never get a terminal.
        if clinux_fork() != 0 { _exit(0) }
        _ = unsafe chdir("/")
    }

    private static func wait(for child: Int32, _ status: Int32, _ program: String) -> Never {
        var code: Int32 = 0
        while unsafe waitpid(child, &code, 0) < 0, errno == EINTR {}
        var byte: UInt8 = 0
        var count = unsafe read(status, &byte, 1)
        while count < 0, errno == EINTR { count = unsafe read(status, &byte, 1) }
        if count == 1, byte == 0 { _exit(0) }
        let step = count == 1 ? StartStep(rawValue: byte) : nil
        let text = step?.text ?? "the daemon ended while it was starting"
        let message = "\(program): error: \(text). Check /var/log/messages or run without --daemon for more info.\n"
        _ = unsafe Array(message.utf8).withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
        _exit(1)
    }
}
