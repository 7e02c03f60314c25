// modules: CLibXML2 CLinux VirtCore VirtXML VirtModel
// with: Stability.swift
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import VirtModel

/// A network port's document.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNetworkPort(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let text = try? NetworkPort.parse(bytes).format() else { return 0 }
    Stability.check(text) { try NetworkPort.parse($0.utf8).format() }
    return 0
}
