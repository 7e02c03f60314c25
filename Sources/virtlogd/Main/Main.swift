import LogDriver
import VirtDaemon

@main
enum Main {
    static func main() { DaemonMain.run(LogDaemon.description) }
}
