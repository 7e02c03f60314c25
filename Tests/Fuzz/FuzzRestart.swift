// modules: CLinux CSystemd VirtCore VirtOS VirtWire VirtRPC VirtDaemon LogDriver
// flags: -lsystemd
import LogDriver
import VirtCore
import VirtDaemon
import VirtRPC

/// Reads the document that a program of virtlogd or virtlockd leaves to the next, and virtlogd's part of it. What is
/// read is written, and read to the same again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRestart(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let state = try? RestartState(parsing: bytes) else { return 0 }
    guard let again = try? RestartState(parsing: state.encoded()), again == state else {
        fatalError("the state does not survive writing and reading")
    }
    for file in (try? state.driver.requiredObject("handler").requiredObjects("files")) ?? [] {
        guard let log = try? StoredLog(file, number: 1) else { continue }
        guard (try? StoredLog(log.document(pipe: 4, isStored: true), number: 1)) == log else {
            fatalError("a log does not survive writing and reading")
        }
    }
    return 0
}
