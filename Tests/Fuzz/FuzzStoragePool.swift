// modules: CLibXML2 CLinux VirtCore VirtXML VirtModel
// with: Stability.swift
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import VirtModel

/// A storage pool's definition, its state file, or the source that a search for pools starts from; the first byte
/// chooses.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzStoragePool(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: size))
    guard let choice = input.first else { return 0 }
    let document = input.dropFirst()
    switch choice % 3 {
    case 0:
        guard let text = try? StoragePool.parse(document).format() else { return 0 }
        Stability.check(text) { try StoragePool.parse($0.utf8).format() }
    case 1:
        guard let text = try? StoragePoolStatus.parse(document).format() else { return 0 }
        Stability.check(text) { try StoragePoolStatus.parse($0.utf8).format() }
    default:
        let types = StoragePoolType.allCases
        let type = types[Int(choice / 3) % types.count]
        _ = try? StoragePool.parseSource(String(decoding: document, as: UTF8.self), type)
    }
    return 0
}
