import Glibc
import VirtCore
import VirtOS
import VirtRPC

private let log = Logger("daemon.sockets")

/// A daemon's listening sockets: those that it was activated with, or its own.
struct DaemonSockets: Sendable {
    /// One of a daemon's sockets.
    private struct Kind {
        let unit: String
        let file: String
        let mode: UInt32
        /// What the program before, whose place this one took, left of it.
        var inherited: [InheritedState.Service] = []
    }

    private let names: DaemonFileNames
    private let directory: String
    private let settings: DaemonSettings
    private let isPrivileged: Bool
    /// Sockets that this process made and removes again.
    private(set) var own: [String] = []

    init(_ names: DaemonFileNames, _ paths: DaemonPaths, _ settings: DaemonSettings) {
        self.names = names
        self.settings = settings
        directory = settings.socketDirectory.map(paths.path) ?? paths.runLibvirt
        isPrivileged = !paths.isSession
    }

    /// Makes both servers listen; nobody is accepted yet.
    ///
    /// - Parameter ownerOnly: the main socket is for processes of the daemon's own user.
    mutating func open(
        main: RPCServer, admin: RPCServer, ownerOnly: Bool, activation: inout Activation,
        inherited: InheritedState? = nil
    ) throws(VirtError) {
        let isActivated = activation.hasSockets
        let readWrite = settings.readWrite
        let writable = Kind(
            unit: names.name, file: names.mainSocket, mode: readWrite.mode,
            inherited: inherited?.servers[main.name]?.services ?? [])
        try listen(writable, isActivated, &activation) { socket in
            main.listen(socket, authentication: readWrite.authentication, ownerOnly: ownerOnly)
        }
        if let file = names.readOnlySocket, isPrivileged {
            let authentication = settings.readOnly.authentication
            let readable = Kind(unit: "\(names.name)-ro", file: file, mode: settings.readOnly.mode)
            try listen(readable, isActivated, &activation) { socket in
                main.listen(socket, readOnly: true, authentication: authentication)
            }
        }
        let adminKind = Kind(
            unit: "\(names.name)-admin", file: names.adminSocket, mode: settings.adminMode,
            inherited: inherited?.servers[admin.name]?.services ?? [])
        try listen(adminKind, isActivated, &activation) { admin.listen($0, ownerOnly: true) }
        try activation.finish()
        if !isActivated { try linkAdminSocket() }
    }

    /// virt-admin looks for virtproxyd's socket under the daemon's own name as well as under libvirtd's.
    private mutating func linkAdminSocket() throws(VirtError) {
        guard names.socketPrefix != names.name else { return }
        let link = "\(directory)/\(names.name)-admin-sock"
        try FileSystem.makeLink(link, to: names.adminSocket)
        own.append(link)
    }

    private mutating func listen(
        _ kind: Kind, _ isActivated: Bool, _ activation: inout Activation, _ body: (consuming OwnedDescriptor) -> Void
    ) throws(VirtError) {
        let path = "\(directory)/\(kind.file)"
        guard kind.inherited.isEmpty else {
            if kind.inherited.contains(where: \.saved.isOwn) { own.append(path) }
            for service in kind.inherited {
                log.debug("listening on \(path), as the program before")
                body(try service.descriptor.descriptor.duplicate())
            }
            return
        }
        guard !isActivated else {
            for box in activation.claim(unit: "\(kind.unit).socket", path: path) {
                let socket = try box.descriptor.duplicate()
                // What a service manager passes blocks.
                try socket.setNonBlocking(true)
                log.debug("listening on \(path), as activated")
                body(socket)
            }
            return
        }
        let group = kind.file == names.adminSocket ? nil : settings.socketGroup
        let socket = try UnixSocket.listen(path: path, mode: kind.mode, group: group)
        own.append(path)
        log.debug("listening on \(path)")
        body(socket)
    }

    /// Removes the sockets that this process made.
    func removeOwn() {
        for path in own { unsafe unlink(path) }
    }
}
