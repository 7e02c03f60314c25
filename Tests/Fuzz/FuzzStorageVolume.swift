// modules: CLibXML2 CLinux VirtCore VirtXML VirtModel
// with: Stability.swift
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import VirtModel

/// A volume's document, of its own or of a clone; the first byte chooses.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzStorageVolume(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: size))
    guard let choice = input.first else { return 0 }
    let rule: StorageVolume.CapacityRule = choice % 2 == 0 ? .neededWithoutBacking : .optional
    guard let text = try? StorageVolume.parse(input.dropFirst(), rule).format() else { return 0 }
    Stability.check(text) { try StorageVolume.parse($0.utf8, .optional).format() }
    return 0
}
