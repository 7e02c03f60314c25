import VirtCore
import VirtModel
import VirtXML

/// A backup that runs: it outlives the call that began it, as a job of the domain's own.
struct BackupJob: Sendable, Equatable {
    var document: DomainBackup
    /// Flags of virDomainBackupBegin; a status file does not say them.
    var flags: UInt32 = 0
    /// When it began, in milliseconds of the wall clock.
    var started: UInt64
    /// What disks that have ended have moved, in bytes.
    var progress = DomainActor.Progress()
    /// The first thing that went wrong.
    var error: String?

    /// VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL.
    static let reuseExternal: UInt32 = 1

    var reuses: Bool { flags & Self.reuseExternal != 0 }

    /// The part of a status file.
    func format() throws -> String {
        "  <backups>\n" + (try document.format(.status, depth: 2)) + "  </backups>\n"
    }

    /// The status file's word on the job that goes on.
    var jobElement: String {
        "  <job type='none' async='backup' flags='0x\(String(flags, radix: 16))' asyncStarted='\(started)'/>\n"
    }

    static func read(_ root: XMLNode) -> BackupJob? {
        guard let element = root.child("backups")?.child("domainbackup"),
            let document = try? DomainBackup.read(element, flags: .status)
        else { return nil }
        let job = root.child("job")
        var backup = BackupJob(
            document: document, started: job?.attribute("asyncStarted").flatMap { UInt64($0) } ?? WallClock.now)
        let flags = job?.attribute("flags").flatMap { UInt32($0.dropFirst(2), radix: 16) }
        backup.flags = flags ?? 0
        return backup
    }
}
