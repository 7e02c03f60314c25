import Synchronization

/// libvirt's log priorities, by their numbers in `log_level` and `log_filters`.
package enum LogLevel: Int32, Sendable, Comparable, CaseIterable {
    case debug = 1
    case info = 2
    case warning = 3
    case error = 4

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The word that a log line shows.
    package var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }
}

/// What a category's messages must reach to be printed; kept up to date by the log system.
package final class LogCategory: Sendable {
    package let name: String
    let threshold: Atomic<Int32>

    init(_ name: String, threshold: Int32) {
        self.name = name
        self.threshold = Atomic(threshold)
    }
}

/// The source of log messages of one category ("rpc.server", "qemu.domain").
///
/// A disabled message costs one atomic load: its text is not built.
package struct Logger: Sendable {
    private let category: LogCategory
    private let system: LogSystem

    package init(_ category: String, system: LogSystem = .shared) {
        self.category = system.category(category)
        self.system = system
    }

    /// Whether messages of this level are printed now.
    package func isEnabled(_ level: LogLevel) -> Bool {
        level.rawValue >= category.threshold.load(ordering: .relaxed)
    }

    package func debug(_ message: @autoclosure () -> String, line: UInt32 = #line, function: StaticString = #function) {
        guard isEnabled(.debug) else { return }
        system.emit(LogMessage(.debug, category.name, message(), function, line))
    }

    package func info(_ message: @autoclosure () -> String, line: UInt32 = #line, function: StaticString = #function) {
        guard isEnabled(.info) else { return }
        system.emit(LogMessage(.info, category.name, message(), function, line))
    }

    package func warning(
        _ message: @autoclosure () -> String, line: UInt32 = #line, function: StaticString = #function
    ) {
        guard isEnabled(.warning) else { return }
        system.emit(LogMessage(.warning, category.name, message(), function, line))
    }

    package func error(_ message: @autoclosure () -> String, line: UInt32 = #line, function: StaticString = #function) {
        guard isEnabled(.error) else { return }
        system.emit(LogMessage(.error, category.name, message(), function, line))
    }
}

/// One message on its way to the outputs.
package struct LogMessage: Sendable {
    package let level: LogLevel
    package let category: String
    package let text: String
    package let function: StaticString
    package let line: UInt32

    package init(_ level: LogLevel, _ category: String, _ text: String, _ function: StaticString, _ line: UInt32) {
        self.level = level
        self.category = category
        self.text = text
        self.function = function
        self.line = line
    }
}

extension Logger {
    /// Logs an error as libvirt does: what merely was not found is no more than a debug message.
    package func report(_ error: VirtError, line: UInt32 = #line, function: StaticString = #function) {
        if Self.expected.contains(error.code) {
            debug(error.message, line: line, function: function)
        } else {
            self.error(error.message, line: line, function: function)
        }
    }

    private static let expected: Set<VirtError.Code> = [
        .noDomain, .noNetwork, .noStoragePool, .noStorageVol, .noNodeDevice, .operationInvalid, .noInterface,
        .noNwfilter, .noSecret, .noDomainSnapshot, .noDomainMetadata, .noServer, .noClient, .noNwfilterBinding,
        .noHostname,
    ]
}
