import Glibc
import Synchronization

/// Where log messages go and which of them: libvirt's log_level, log_filters and log_outputs.
package final class LogSystem: Sendable {
    /// The log system of the process.
    package static let shared = LogSystem()

    private struct State {
        var level = LogLevel.warning
        var categories: [String: LogCategory] = [:]
    }
    private let state = Mutex(State())

    package init() {}

    /// The default level of categories that no filter names.
    package var level: LogLevel {
        get { state.withLock { $0.level } }
        set {
            state.withLock { state in
                state.level = newValue
                for category in state.categories.values {
                    category.threshold.store(newValue.rawValue, ordering: .relaxed)
                }
            }
        }
    }

    func category(_ name: String) -> LogCategory {
        state.withLock { state in
            if let known = state.categories[name] { return known }
            let category = LogCategory(name, threshold: state.level)
            state.categories[name] = category
            return category
        }
    }

    func emit(_ message: LogMessage) {
        let line = "\(message.level.name) : \(message.category) : \(message.text)\n"
        _ = Array(line.utf8).withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}
