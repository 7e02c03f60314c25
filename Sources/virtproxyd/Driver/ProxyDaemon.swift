package import VirtDaemon
package import VirtRPC
import VirtWire

/// virtproxyd: libvirt's historic sockets. Passes each call on to the daemon that answers it, and knows no driver.
package struct ProxyDaemon: DaemonDriver {
    package static let description = DaemonDescription(
        name: "virtproxyd", title: "libvirt proxy daemon", socketPrefix: "libvirt", configKind: .proxy,
        routes: { paths in .proxy(runDirectory: paths.runLibvirt) },
        makeDriver: { _ in ProxyDaemon() })

    /// The remote program, and QEMU's of which every call is passed on.
    package func handlerTables() -> [HandlerTable] {
        var remote = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.installProxy(into: &remote)
        return [remote, HandlerTable(QemuProgram.description)]
    }

    package func start() async throws {}
    package func reload() async {}
    package func stop() async {}
}
