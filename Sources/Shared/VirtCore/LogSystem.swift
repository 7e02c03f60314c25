import Glibc
import Synchronization

/// Takes finished messages: a file, the journal, the system log.
package protocol LogSink: AnyObject, Sendable {
    /// Writes one message; `line` is it in libvirt's format with a line end. Called under the log system's lock.
    func write(_ message: LogMessage, line: String)
}

/// Where log messages go and which of them: libvirt's log_level, log_filters and log_outputs.
package final class LogSystem: Sendable {
    /// The log system of the process.
    package static let shared = LogSystem()

    private struct OpenOutput {
        let description: LogOutput
        let sink: any LogSink
        var introduced = false
    }

    private struct State {
        var level = LogLevel.warning
        var filters: [LogFilter] = []
        var outputs: [OpenOutput] = []
        var introduction: [String] = []
        var introduced = false
        var categories: [String: LogCategory] = [:]

        /// A category's level, raised to what the most talkative output takes.
        func threshold(_ category: String) -> Int32 {
            let wanted = (filters.first { $0.matches(category) }?.level ?? level).rawValue
            guard let lowest = outputs.map(\.description.level.rawValue).min() else { return wanted }
            return max(wanted, lowest)
        }

        func updateCategories() {
            for (name, category) in categories {
                category.threshold.store(threshold(name), ordering: .relaxed)
            }
        }
    }
    private let state = Mutex(State())

    package init() {}

    /// The level of categories that no filter names.
    package var level: LogLevel {
        get { state.withLock { $0.level } }
        set {
            state.withLock { state in
                state.level = newValue
                state.updateCategories()
            }
        }
    }

    /// The filters; the first that matches a category decides.
    package var filters: [LogFilter] {
        get { state.withLock { $0.filters } }
        set {
            state.withLock { state in
                state.filters = newValue
                state.updateCategories()
            }
        }
    }

    /// The outputs; without any, messages go to the standard error.
    package var outputs: [LogOutput] { state.withLock { $0.outputs.map(\.description) } }

    /// Replaces all outputs at once; the sinks that are no longer used close themselves when released.
    package func setOutputs(_ outputs: [(LogOutput, any LogSink)]) {
        let old = state.withLock { state in
            let old = state.outputs
            state.outputs = outputs.map { OpenOutput(description: $0.0, sink: $0.1) }
            state.updateCategories()
            return old
        }
        _ = old
    }

    /// The lines that each output begins with (libvirt's version, the host's name).
    package func setIntroduction(_ lines: [String]) {
        state.withLock { $0.introduction = lines }
    }

    func category(_ name: String) -> LogCategory {
        state.withLock { state in
            if let known = state.categories[name] { return known }
            let category = LogCategory(name, threshold: state.threshold(name))
            state.categories[name] = category
            return category
        }
    }

    func emit(_ message: LogMessage) {
        let stamp = LogLine.timestamp()
        let line = LogLine.format(message, timestamp: stamp)
        state.withLock { state in
            guard !state.outputs.isEmpty else {
                if !state.introduced { introduce(state.introduction, stamp) { $1.writeToStandardError() } }
                state.introduced = true
                return line.writeToStandardError()
            }
            for index in state.outputs.indices where message.level >= state.outputs[index].description.level {
                let output = state.outputs[index]
                if !output.introduced { introduce(state.introduction, stamp) { output.sink.write($0, line: $1) } }
                state.outputs[index].introduced = true
                output.sink.write(message, line: line)
            }
        }
    }

    private func introduce(_ lines: [String], _ stamp: String, _ write: (LogMessage, String) -> Void) {
        for text in lines {
            let message = LogMessage(.info, "util.log", text, "", 0)
            write(message, LogLine.format(message, timestamp: stamp))
        }
    }
}

extension String {
    /// Without any output a message goes here; a failure to write it can't be reported anywhere.
    fileprivate func writeToStandardError() {
        var rest = utf8.count
        unsafe Array(utf8).withUnsafeBytes { bytes in
            while rest > 0 {
                let count = unsafe Glibc.write(2, bytes.baseAddress?.advanced(by: bytes.count - rest), rest)
                if count > 0 {
                    rest -= count
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
