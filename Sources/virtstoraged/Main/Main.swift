import StorageDriver
import VirtDaemon

@main
enum Main {
    static func main() { DaemonMain.run(StorageDaemon.description) }
}
