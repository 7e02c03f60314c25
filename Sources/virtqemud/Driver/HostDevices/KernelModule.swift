import VirtCore
import VirtOS

/// A driver that the kernel can load.
struct KernelModule: Sendable {
    let name: String
    /// The program that has the kernel load it.
    var loader = "modprobe"

    private static let log = Logger("qemu.hostdevices")
    private static let timeout: Duration = .seconds(60)

    /// Loads the module and what it needs, unless the administrator forbids it. What went wrong is logged: the caller sees
    /// by the driver whether it is there.
    func load() async {
        do {
            let output = try await ChildProcess.run(loader, ["-b", name], timeout: Self.timeout)
            guard !output.status.isSuccess else { return }
            Self.log.warning("failed to load driver \(name): \(String(decoding: output.stderr, as: UTF8.self))")
        } catch {
            Self.log.warning("failed to load driver \(name): \(error)")
        }
    }

    /// Whether the administrator's configuration of modprobe forbids the module.
    func isProhibited() async -> Bool {
        guard let output = try? await ChildProcess.run(loader, ["-c"], timeout: Self.timeout), output.status.isSuccess
        else { return false }
        // modprobe has underscores where the name has dashes.
        let rule = "blacklist " + String(name.map { $0 == "-" ? "_" : $0 })
        return String(decoding: output.stdout, as: UTF8.self).split(separator: "\n").contains { $0 == rule }
    }
}
