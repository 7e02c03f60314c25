import QEMUDriver
import VirtDaemon

@main
enum Main {
    static func main() { DaemonMain.run(QEMUDaemon.description) }
}
