import ProxyDriver
import VirtDaemon

@main
enum Main {
    static func main() { DaemonMain.run(ProxyDaemon.description) }
}
