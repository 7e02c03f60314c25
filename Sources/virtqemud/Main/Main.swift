import Glibc
import QEMUDriver
import VirtDaemon

@main
enum Main {
    static func main() {
        // The daemon forks before it has threads; its helper for asking QEMU needs them.
        guard CommandLine.arguments.dropFirst().first == CapabilityHelper.option else {
            DaemonMain.run(QEMUDaemon.description)
        }
        // Not the main actor's: the main thread only waits here.
        Task { @concurrent in await CapabilityHelper.runIfRequested() }
        while true { pause() }
    }
}
