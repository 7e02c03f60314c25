import Glibc
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Calls that open a stream: consoles, channels, screenshots.
enum StreamHandlers {
    /// VIR_DOMAIN_CONSOLE_FORCE and _SAFE; VIR_DOMAIN_CHANNEL_FORCE.
    private static let force: UInt32 = 1
    private static let safe: UInt32 = 2

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onStream(RemoteProgram.DomainOpenConsole.self) { arguments, caller in
            try arguments.flags.checkFlags(force | safe, "qemuDomainOpenConsole")
            let (domain, _) = try registry.snapshot(arguments.dom).running()
            let source = try ConsoleSource.console(domain, arguments.devName)
            return try await open(source, driver, arguments.flags, caller.client)
        }
        table.onStream(RemoteProgram.DomainOpenChannel.self) { arguments, caller in
            try arguments.flags.checkFlags(force, "qemuDomainOpenChannel")
            let (domain, _) = try registry.snapshot(arguments.dom).running()
            let source = try ConsoleSource.channel(domain, arguments.name)
            return try await open(source, driver, arguments.flags, caller.client)
        }
        table.onStream(RemoteProgram.DomainScreenshot.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainScreenshot")
            let actor = try registry.actor(arguments.dom)
            let picture = try await actor.screenshot(screen: arguments.screen, caller.client)
            return StreamStart(.init(mime: picture.type)) { stream in
                defer { unsafe unlink(picture.path) }
                try await picture.send(to: stream)
            }
        }
    }

    private static func open(
        _ source: ConsoleSource, _ driver: QEMUDriver, _ flags: UInt32, _ client: ClientHandle
    ) async throws -> StreamStart<XDRVoid> {
        let session = try driver.consoles.take(source.path, force: flags & force != 0)
        do {
            let descriptor = try source.open()
            return StreamStart(XDRVoid()) { stream in
                defer { driver.consoles.giveBack(session) }
                try await ConsoleBridge.run(descriptor, stream, session, on: client.loop)
            }
        } catch {
            driver.consoles.giveBack(session)
            throw error
        }
    }
}

/// Where a console or channel is on the host.
struct ConsoleSource: Sendable {
    let path: String
    let isSocket: Bool

    /// virDomainOpenConsole: by alias, or the first console, else the first serial or parallel port.
    static func console(_ domain: Domain, _ name: String?) throws(VirtError) -> ConsoleSource {
        let devices = domain.devices
        let all =
            devices.consoles.map { ($0.info.alias, $0.source) } + devices.serials.map { ($0.info.alias, $0.source) }
            + devices.parallels.map { ($0.info.alias, $0.source) }
        let found: CharacterSource?
        if let name {
            found = all.first { $0.0 == name }?.1
        } else {
            found = devices.consoles.first?.source ?? devices.serials.first?.source ?? devices.parallels.first?.source
        }
        guard let found else {
            throw VirtError(.internalError, .qemu, "cannot find character device \(name ?? "(null)")")
        }
        return try make(found, name)
    }

    /// virDomainOpenChannel: by alias or target name, else the first channel.
    static func channel(_ domain: Domain, _ name: String?) throws(VirtError) -> ConsoleSource {
        let found = domain.devices.channels.first { channel in
            guard let name else { return true }
            return channel.info.alias == name || channel.name == name
        }
        guard let found else {
            throw VirtError(.internalError, .qemu, "cannot find channel \(name ?? "(null)")")
        }
        guard found.source.type == .unix else {
            throw VirtError(
                .internalError, .qemu, "channel \(found.name ?? name ?? "(null)") is not using a UNIX socket")
        }
        return try make(found.source, name)
    }

    private static func make(_ source: CharacterSource, _ name: String?) throws(VirtError) -> ConsoleSource {
        switch source.type {
        case .pty, .unix, .dev:
            guard let path = source.path else {
                throw VirtError(.internalError, .qemu, "character device \(name ?? "(null)") has no path")
            }
            return ConsoleSource(path: path, isSocket: source.type == .unix)
        case .null, .vc, .file, .pipe, .stdio, .udp, .tcp, .spicevmc, .spiceport, .nmdm, .dbus, .qemuVDAgent:
            throw VirtError(.internalError, .qemu, "character device \(name ?? "(null)") is not using a PTY")
        }
    }

    func open() throws(VirtError) -> DescriptorBox {
        if isSocket { return DescriptorBox(try UnixSocket.connect(path: path)) }
        return DescriptorBox(try OwnedDescriptor(opening: path, O_RDWR | O_NOCTTY | O_NONBLOCK))
    }
}
