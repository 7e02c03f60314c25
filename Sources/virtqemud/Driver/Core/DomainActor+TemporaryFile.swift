import Glibc
import VirtCore

extension DomainActor {
    /// An empty file that QEMU may write.
    func temporaryFile(_ template: String) throws(VirtError) -> String {
        var bytes = Array(template.utf8CString)
        let descriptor = unsafe mkstemp(&bytes)
        guard descriptor >= 0 else { throw .system(errno, .qemu, "mkstemp(\"\(template)\") failed") }
        defer { close(descriptor) }
        _ = fchown(descriptor, driver.configuration.uid, driver.configuration.gid)
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
