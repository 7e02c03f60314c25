// modules: CLibXML2 CLinux CSystemd CGcrypt VirtCore VirtOS VirtXML VirtModel VirtWire VirtRPC VirtDaemon
// modules: QEMUMonitor QEMUCommand QEMUDriver
// with: Stability.swift
// flags: -Xcc -I/usr/include/libxml2 -lxml2 -lsystemd -lgcrypt

@testable import QEMUDriver

/// A guest's status file, as a daemon before left it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzStatus(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let written = try? StatusFile.parse(bytes).format() else { return 0 }
    Stability.check(written) { try StatusFile.parse($0).format() }
    return 0
}
