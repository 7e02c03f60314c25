import Glibc
import VirtCore
import VirtOS

/// Finds the logs that nobody wrote to for so long ("max_age_days").
struct LogAge: Sendable {
    private static let secondsPerDay: UInt64 = 86_400

    /// Drivers' directories of logs are below it; the daemons' own logs, in it, are none of ours.
    let root: String
    let days: UInt64

    /// Logs and backups that are too old, wherever they belong to.
    func old(now: time_t) -> [String] {
        directories.flatMap { directory in
            ((try? FileSystem.names(in: directory)) ?? []).sorted()
                .filter { Self.log(of: $0) != nil }.map { "\(directory)/\($0)" }
                .filter { isOld($0, now: now) }
        }
    }

    private var directories: [String] {
        ((try? FileSystem.names(in: root)) ?? []).sorted().map { "\(root)/\($0)" }.filter(FileSystem.isDirectory)
    }

    func isOld(_ path: String, now: time_t) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        let (limit, isFar) = days.multipliedReportingOverflow(by: Self.secondsPerDay)
        return !isFar && now > status.st_mtim.tv_sec && UInt64(now - status.st_mtim.tv_sec) > limit
    }

    /// The log that a file is, or is a backup of: "g.log" of "g.log.2"; nil: it is none.
    static func log(of name: String) -> String? {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if let last = parts.last, !last.isEmpty, last.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            parts.removeLast()
        }
        guard parts.count > 1, parts.last == "log" else { return nil }
        return parts.joined(separator: ".")
    }
}

extension LogStore {
    private static let ageInterval = Duration.seconds(3600)

    /// Removes what is too old, now and from time to time.
    func watchAge(_ age: LogAge) {
        Task(executorPreference: loop) {
            do {
                let old = try await BlockingPool.shared.run { age.old(now: time(nil)) }
                await self.remove(old, age)
            } catch {
                log.warning("old logs are not looked for: \(error)")
            }
        }
        loop.schedule(after: Self.ageInterval, name: "log age") { [weak self] in
            self?.assumeIsolated { $0.watchAge(age) }
        }
    }

    /// Removes those of the files that are old still, and no open log: nobody opens one meanwhile.
    func remove(_ paths: [String], _ age: LogAge) {
        for path in paths where logs[path] == nil && age.isOld(path, now: time(nil)) {
            if unsafe unlink(path) == 0 {
                log.info("log '\(path)' was older than \(age.days) days and is removed")
            } else {
                log.warning("old log '\(path)' cannot be removed: \(VirtError.describe(errno: errno))")
            }
        }
    }
}
