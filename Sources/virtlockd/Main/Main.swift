import LockDriver
import VirtDaemon

@main
enum Main {
    static func main() { DaemonMain.run(LockDaemon.description) }
}
