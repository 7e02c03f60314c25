// modules: CLibXML2 CLinux VirtCore VirtXML VirtModel
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import VirtCore
import VirtModel
import VirtXML

/// A snapshot's way from a client's bytes or from a file: parse, align to a domain, print, and read back.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSnapshot(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    // The first byte chooses how the document is read.
    let kind = bytes.first ?? 0
    let options = Snapshot.ParseOptions(isRedefinition: kind & 1 != 0, isOffline: kind & 2 != 0)
    guard var snapshot = try? Snapshot.parse(bytes.dropFirst(), options) else { return 0 }
    let isFile = kind & 4 != 0
    if !options.isRedefinition {
        snapshot.complete(now: 1_700_000_000)
        snapshot.domain = guest
    }
    try? snapshot.validateRedefinition(of: nil, domain: .zero, isDiskOnly: isFile)
    try? snapshot.alignDisks(standard: isFile ? .external : .internal) { !$0.hasPrefix("/dev") }
    snapshot.isActive = isFile ? true : nil
    guard let text = try? snapshot.format(.secure) else { return 0 }
    _ = try? Snapshot.parseFile(text.utf8)
    var tree = SnapshotTree()
    tree.put(snapshot)
    _ = tree.repairRelations()
    _ = SnapshotFilter(UInt32(kind) << 2).names(tree, from: nil)
    return 0
}

private let guest = try? Domain.parse(
    """
    <domain type='qemu'><name>guest</name><memory>1</memory><os><type>hvm</type></os><devices>
    <disk type='file'><source file='/images/a.qcow2'/><target dev='vda'/></disk>
    <disk type='block'><source dev='/dev/b'/><target dev='vdb'/></disk>
    <disk device='cdrom'><target dev='sda'/><readonly/></disk></devices></domain>
    """)
