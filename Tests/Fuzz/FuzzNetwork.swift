// modules: CLibXML2 CLinux VirtCore VirtXML VirtModel
// with: Stability.swift
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import VirtCore
import VirtModel
import VirtXML

/// A network's definition, its state file, and changes of it. The first byte chooses which, and the section and command
/// of a change; the change and the definition are separated by a zero byte.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNetwork(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: size))
    guard let choice = input.first else { return 0 }
    let parts = input.dropFirst().split(separator: 0, maxSplits: 1)
    guard let document = parts.first else { return 0 }
    if choice == 0xFF {
        guard let status = try? NetworkStatus.parse(document), let text = try? status.format() else { return 0 }
        Stability.check(text) { try NetworkStatus.parse($0.utf8).format() }
        return 0
    }
    guard let network = try? Network.parse(document) else { return 0 }
    check(network)
    guard parts.count == 2 else { return 0 }
    let update = Network.Update(
        command: UInt32(choice % 6), section: UInt32(choice / 6 % 14), parentIndex: Int32(choice / 84) - 1,
        xml: String(decoding: parts[1], as: UTF8.self))
    if let changed = try? network.updated(update) { check(changed) }
    return 0
}

private func check(_ network: Network) {
    try? network.validateSupport { _ in false }
    guard let text = try? network.format(.inactive) else { return }
    Stability.check(text) { try Network.parse($0.utf8).format(.inactive) }
}
