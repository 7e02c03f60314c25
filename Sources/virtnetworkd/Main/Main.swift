import NetworkDriver
import VirtDaemon

@main
enum Main {
    static func main() { DaemonMain.run(NetworkDaemon.description) }
}
