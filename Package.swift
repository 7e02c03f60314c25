// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
/// Each use of a pointer in the daemons is marked `unsafe`; the tests are free of that.
let daemonSettings = settings + [.strictMemorySafety()]

func shared(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/Shared/\(name)", exclude: exclude,
        swiftSettings: daemonSettings)
}

func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: daemonSettings)
}

func daemon(_ name: String, _ driver: String) -> Target {
    .executableTarget(
        name: name, dependencies: [.byName(name: driver), "VirtDaemon"], path: "Sources/\(name)/Main",
        swiftSettings: daemonSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: settings)
}

let libraries: [Target] = [
    .target(name: "CLinux", path: "Sources/Shared/CLinux"),
    .systemLibrary(
        name: "CLibXML2", path: "Sources/Shared/CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
    .systemLibrary(
        name: "CSystemd", path: "Sources/Shared/CSystemd", pkgConfig: "libsystemd",
        providers: [.apt(["libsystemd-dev"])]),
    .systemLibrary(
        name: "CNetlink", path: "Sources/Shared/CNetlink", pkgConfig: "libnl-route-3.0",
        providers: [.apt(["libnl-route-3-dev"])]),
    // libsystemd brings the library into every daemon anyway; used for digests and for secrets handed to QEMU.
    .systemLibrary(
        name: "CGcrypt", path: "Sources/Shared/CGcrypt", pkgConfig: "libgcrypt",
        providers: [.apt(["libgcrypt20-dev"])]),
    shared("VirtCore", ["CLinux"]),
    shared("VirtOS", ["CLinux", "VirtCore"]),
    shared("VirtXML", ["CLibXML2", "VirtCore"]),
    shared("VirtModel", ["VirtXML", "VirtCore"]),
    shared("VirtWire", ["VirtCore"], exclude: ["Protocols"]),
    shared("VirtRPC", ["VirtOS", "VirtWire", "VirtCore", "CSystemd"]),
    shared("VirtDaemon", ["VirtRPC", "VirtOS", "VirtWire", "VirtCore", "CSystemd", "CLinux"]),
]

let base: [Target.Dependency] = ["VirtDaemon", "VirtRPC", "VirtOS", "VirtWire", "VirtCore"]
let drivers: [Target] = [
    room("QEMUMonitor", "virtqemud/QMP", ["VirtOS", "VirtCore"]),
    room("QEMUCommand", "virtqemud/Command", ["QEMUMonitor", "VirtModel", "VirtXML", "VirtCore"]),
    room(
        "QEMUDriver", "virtqemud/Driver",
        base + ["QEMUCommand", "QEMUMonitor", "VirtModel", "VirtXML", "CLinux", "CGcrypt"]),
    room("NetworkLeases", "virtnetworkd/Leases", []),
    room(
        "NetworkDriver", "virtnetworkd/Driver",
        base + ["NetworkLeases", "CNetlink", "CLinux", "VirtModel", "VirtXML"]),
    room("StorageDriver", "virtstoraged/Driver", base + ["VirtModel", "VirtXML", "CLinux"]),
    room("LogDriver", "virtlogd/Driver", base + ["CLinux"]),
    room("LockDriver", "virtlockd/Driver", base + ["CLinux"]),
    room("ProxyDriver", "virtproxyd/Driver", base),
]

let executables: [Target] = [
    .executableTarget(name: "protocolgen", path: "Sources/Shared/protocolgen", swiftSettings: daemonSettings),
    .executableTarget(
        name: "virtleaseshelper", dependencies: ["NetworkLeases"], path: "Sources/virtnetworkd/LeasesHelper",
        swiftSettings: daemonSettings),
    .systemLibrary(name: "CEpoll", path: "Benchmarks/epoll"),
    .executableTarget(
        name: "rpcload", dependencies: ["CEpoll"], path: "Benchmarks/rpcload", swiftSettings: settings),
    .executableTarget(name: "rpcecho", path: "Benchmarks/echo"),
    .executableTarget(
        name: "modeltimes", dependencies: ["VirtModel", "VirtXML"], path: "Benchmarks/model", swiftSettings: settings),
    daemon("virtqemud", "QEMUDriver"), daemon("virtnetworkd", "NetworkDriver"), daemon("virtstoraged", "StorageDriver"),
    daemon("virtlogd", "LogDriver"), daemon("virtlockd", "LockDriver"), daemon("virtproxyd", "ProxyDriver"),
]

let allTests: [Target] = [
    tests("VirtCoreTests", ["VirtCore"]),
    tests("VirtOSTests", ["VirtOS", "VirtCore"]),
    tests("VirtXMLTests", ["VirtXML", "VirtCore"]),
    tests("VirtModelTests", ["VirtModel", "VirtXML", "VirtCore"]),
    tests("VirtWireTests", ["VirtWire", "VirtCore", "protocolgen"], exclude: ["Fixtures"]),
    tests("VirtRPCTests", ["VirtRPC", "VirtWire", "VirtOS", "VirtCore"]),
    tests("VirtDaemonTests", ["VirtDaemon", "VirtRPC", "VirtWire", "VirtOS", "VirtCore"]),
    tests("QEMUMonitorTests", ["QEMUMonitor", "VirtOS", "VirtCore"]),
    tests(
        "QEMUCommandTests", ["QEMUCommand", "QEMUMonitor", "VirtModel", "VirtXML", "VirtCore"], exclude: ["Fixtures"]),
    tests(
        "QEMUDriverTests", ["QEMUDriver", "QEMUCommand", "QEMUMonitor", "VirtModel"] + base, exclude: ["Fixtures"]),
    tests("NetworkDriverTests", ["NetworkDriver", "NetworkLeases", "VirtModel", "VirtXML"] + base),
    tests("StorageDriverTests", ["StorageDriver", "VirtModel"] + base),
    tests("LogDriverTests", ["LogDriver"] + base),
    tests("LockDriverTests", ["LockDriver", "CLinux"] + base),
    tests("ProxyDriverTests", ["ProxyDriver"] + base),
]
/// While working on one room, `VIRTSWARM_ONLY=VirtCore swift test` builds that room's tests alone, and of the rest no more
/// than they need.
let only = Context.environment["VIRTSWARM_ONLY"]
let lower = ["VirtCore", "VirtOS", "VirtWire", "VirtRPC", "VirtDaemon"]

func isWanted(_ target: Target) -> Bool {
    guard let only else { return true }
    if target.type == .test { return target.name == "\(only)Tests" }
    guard let room = lower.firstIndex(of: only) else { return true }
    return lower[...room].contains(target.name) || ["CLinux", "CSystemd", "protocolgen"].contains(target.name)
}

let package = Package(
    name: "virtswarm", targets: (libraries + drivers + executables + allTests).filter(isWanted))
