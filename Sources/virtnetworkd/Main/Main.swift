import NetworkDriver
import VirtDaemon

@main
struct Main {
    static func main() { DaemonMain.run(NetworkDaemon.description) }
}
