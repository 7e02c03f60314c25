import Glibc
package import VirtCore
import VirtOS

/// Opens what log_outputs names, and knows the output that a daemon has when nothing is set.
package struct LogSetup: Sendable {
    private let system: LogSystem
    /// What an empty setting stands for.
    let standard: LogOutput

    /// - Parameter isJournalThere: whether journald takes messages.
    package init(
        system: LogSystem = .shared, name: String, paths: DaemonPaths, level: LogLevel, isDaemon: Bool,
        isJournalThere: Bool, isInteractive: Bool
    ) {
        self.system = system
        if isJournalThere, isDaemon || !isInteractive {
            standard = LogOutput(level, .journald)
        } else if isDaemon {
            standard = LogOutput(level, .file("\(paths.varLogLibvirt)/\(name).log"))
        } else {
            standard = LogOutput(level, .stderr)
        }
    }

    /// Sets the outputs from a text like log_outputs; empty or nil: the standard one. On an error all is as before.
    package func setOutputs(_ text: String?) throws(VirtError) {
        var outputs = try LogOutput.parse(text ?? "")
        if outputs.isEmpty { outputs = [standard] }
        var opened: [(LogOutput, any LogSink)] = []
        for output in outputs { opened.append(try open(output)) }
        system.setOutputs(opened)
    }

    /// Sets the filters from a text like log_filters; empty or nil: none.
    package func setFilters(_ text: String?) throws(VirtError) {
        system.filters = try LogFilter.parse(text ?? "")
    }

    /// The outputs as virt-admin shows them, and their number.
    package var outputsText: (text: String, count: Int) {
        let outputs = system.outputs
        return (outputs.map(\.text).joined(separator: " "), outputs.count)
    }

    /// The filters as virt-admin shows them (libvirt ends each with a space), and their number.
    package var filtersText: (text: String?, count: Int) {
        let filters = system.filters
        return (filters.isEmpty ? nil : filters.map { $0.text + " " }.joined(), filters.count)
    }

    private func open(_ output: LogOutput) throws(VirtError) -> (LogOutput, any LogSink) {
        switch output.destination {
        case .stderr: return (output, try DescriptorSink())
        case .journald: return (output, JournalSink())
        case .syslog(let ident): return (output, SyslogSink(ident: ident))
        case .file(let path):
            let absolute = Self.absolute(path)
            if output == standard { try FileSystem.makeDirectories(FileSystem.directory(of: absolute)) }
            return (LogOutput(output.level, .file(absolute)), try DescriptorSink(path: absolute))
        }
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let current = unsafe getcwd(nil, 0) else { return path }
        defer { unsafe free(current) }
        return unsafe String(cString: current) + "/" + path
    }
}

extension LogSetup {
    /// Sets up the process's log as a daemon's configuration says; the environment (LIBVIRT_DEBUG, LIBVIRT_LOG_FILTERS,
    /// LIBVIRT_LOG_OUTPUTS) counts more.
    package static func apply(
        _ settings: DaemonSettings.LogSettings, name: String, paths: DaemonPaths, options: DaemonOptions
    ) throws(VirtError) -> LogSetup {
        let system = LogSystem.shared
        var level = settings.level ?? .warning
        if let text = DaemonPaths.variable("LIBVIRT_DEBUG") { level = Self.level(text) ?? level }
        if options.isVerbose { level = min(level, .info) }
        system.level = level
        system.setIntroduction([
            "libvirt version: \(LibvirtVersion.text), package: \(LibvirtVersion.packageName)",
            "hostname: \(HostInfo.hostName)",
        ])
        let setup = unsafe LogSetup(
            system: system, name: name, paths: paths, level: level, isDaemon: options.isDaemon,
            isJournalThere: paths.root.isEmpty && access("/run/systemd/journal/socket", W_OK) == 0,
            isInteractive: isatty(0) == 1)
        try setup.setFilters(DaemonPaths.variable("LIBVIRT_LOG_FILTERS") ?? settings.filters)
        try setup.setOutputs(DaemonPaths.variable("LIBVIRT_LOG_OUTPUTS") ?? settings.outputs)
        return setup
    }

    private static func level(_ text: String) -> LogLevel? {
        if let number = Int32(text) { return LogLevel(rawValue: number) }
        return LogLevel.allCases.first { $0.name == text }
    }
}
