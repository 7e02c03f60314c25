import VirtCore
import VirtWire

/// Which daemon answers a procedure that this one does not: the swarm's division of labour.
package struct ForwardingRules: Sendable {
    /// A daemon that calls are passed on to.
    package struct Target: Sendable, Hashable {
        /// "qemu", "network", ...: the daemon's URI scheme.
        package let scheme: String
        package let uri: String
        package let path: String
        package let readOnlyPath: String

        /// The system daemon of a driver below `runDirectory` ("/run/libvirt").
        package init(driver: Driver, runDirectory: String, uri: String? = nil) {
            scheme = driver.rawValue
            self.uri = uri ?? "\(driver.rawValue):///system"
            path = "\(runDirectory)/\(driver.daemon)-sock"
            readOnlyPath = "\(runDirectory)/\(driver.daemon)-sock-ro"
        }
    }

    /// The drivers of the swarm by their URI schemes.
    package enum Driver: String, Sendable, CaseIterable {
        case qemu, network, storage, secret, nodedev, nwfilter, interface

        package var daemon: String { self == .storage ? "virtstoraged" : "virt\(rawValue)d" }

        /// Its place among all.
        var place: Int {
            switch self {
            case .qemu: 0
            case .network: 1
            case .storage: 2
            case .secret: 3
            case .nodedev: 4
            case .nwfilter: 5
            case .interface: 6
            }
        }
    }

    /// The driver of each remote procedure, by number; `.qemu` stands for the hypervisor's.
    private static let drivers: [Driver] = {
        let count = Int(RemoteProgram.description.procedures.map(\.number).max() ?? 0) + 1
        var drivers = [Driver](repeating: .qemu, count: count)
        for procedure in RemoteProgram.description.procedures {
            drivers[Int(procedure.number)] = driver(ofProcedure: procedure.name)
        }
        return drivers
    }()

    private static func driver(ofProcedure name: String) -> Driver {
        if name.hasPrefix("DOMAIN_") { return .qemu }
        if name.contains("NWFILTER") { return .nwfilter }
        if name.contains("NETWORK") { return .network }
        if name.contains("STORAGE_") { return .storage }
        if name.contains("SECRET") { return .secret }
        if name.contains("INTERFACE") { return .interface }
        let stays = ["DETTACH", "DETACH_FLAGS", "RE_ATTACH", "RESET"]
        if name.hasPrefix("NODE_DEVICE_"), stays.contains(String(name.dropFirst("NODE_DEVICE_".count))) { return .qemu }
        let isDevice = name.contains("NODE_DEVICE") || name == "NODE_NUM_OF_DEVICES" || name == "NODE_LIST_DEVICES"
        return isDevice ? .nodedev : .qemu
    }

    private let runDirectory: String
    /// The calls of this daemon's own driver, which are never passed on; nil in virtproxyd.
    private let own: Driver?

    /// Rules of a hypervisor daemon: the objects of other drivers belong to other daemons.
    package static func secondary(runDirectory: String) -> ForwardingRules {
        ForwardingRules(runDirectory: runDirectory, own: .qemu)
    }

    /// Rules of virtproxyd: everything is passed on.
    package static func proxy(runDirectory: String) -> ForwardingRules {
        ForwardingRules(runDirectory: runDirectory, own: nil)
    }

    /// virtproxyd has no driver of its own: opening a connection means opening it at the driver's daemon.
    var isProxy: Bool { own == nil }

    /// Whose a call is by its procedure alone.
    static func driver(of procedure: ProcedureDescriptor) -> Driver {
        guard procedure.program == RemoteProgram.number, drivers.indices.contains(Int(procedure.number)) else {
            return .qemu
        }
        return drivers[Int(procedure.number)]
    }

    /// Where a call goes; nil: nowhere, it is this daemon's own.
    func target(_ procedure: ProcedureDescriptor, uri: String?) -> Target? {
        let driver = Self.driver(of: procedure)
        if driver == own { return nil }
        guard isProxy, let opened = uri.flatMap(Self.driver(ofURI:)) else {
            return Target(driver: driver, runDirectory: runDirectory)
        }
        // A client of network:/// and its like talks to that one daemon; a hypervisor's to whom its call is for.
        if driver == .qemu || opened != .qemu {
            return Target(driver: opened, runDirectory: runDirectory, uri: uri)
        }
        return Target(driver: driver, runDirectory: runDirectory)
    }

    /// The daemon that a connection URI names.
    static func driver(ofURI uri: String) -> Driver? {
        guard let colon = uri.firstIndex(of: ":") else { return nil }
        let scheme = uri[..<colon].prefix { $0 != "+" }
        return Driver(rawValue: String(scheme))
    }

    /// Checks the URI of CONNECT_OPEN at the proxy.
    static func check(uri: String?) throws(VirtError) {
        guard let uri, !uri.isEmpty else { return }
        guard driver(ofURI: uri) != nil else {
            throw VirtError(.noConnect, .none, uri)
        }
    }
}
