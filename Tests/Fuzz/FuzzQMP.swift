// modules: CLinux VirtCore VirtOS QEMUMonitor
import QEMUMonitor
import VirtCore

/// Feeds QEMU's side of a QMP stream, in pieces, to the session; the first byte says how large the pieces are.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzQMP(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: data, count: size)
    guard let first = input.first else { return 0 }
    var session = QMPSession(lineLimit: 4096)
    for name in ["a", "b", "c"] { _ = session.command(name, nil) }
    let piece = Int(first) + 1
    var start = 1
    while start < input.count {
        let end = min(start + piece, input.count)
        do {
            try session.receive(UnsafeRawBufferPointer(rebasing: input[start..<end])) { step in
                if case .reply(_, .success(let value)) = step, (try? JSONParser.parse(value.serialized())) != value {
                    fatalError("a value does not survive printing and parsing")
                }
            }
        } catch {
            return 0
        }
        start = end
    }
    return 0
}
