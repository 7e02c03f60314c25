// modules: CLibXML2 CLinux VirtCore VirtXML VirtModel
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import VirtCore
import VirtModel
import VirtXML

/// A backup's way from a client's bytes or a status file: parse, match the guest's disks, print, and read back.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBackup(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    if let root = try? XMLDocument.root("domainbackup", of: bytes, name: "status", domain: .qemu),
        let noted = try? DomainBackup.read(root, flags: .status)
    {
        _ = try? noted.format(.status)
    }
    guard var backup = try? DomainBackup.parse(String(decoding: bytes, as: UTF8.self)) else { return 0 }
    try? backup.align(to: guest, suffix: "x")
    guard let text = try? backup.format() else { return 0 }
    _ = try? DomainBackup.parse(text)
    return 0
}

private let guest: Domain = {
    var domain = Domain()
    domain.devices.disks = ["vda", "vdb"].map { name in
        var disk = Disk()
        disk.target.dev = name
        disk.source.file = "/images/\(name)"
        return disk
    }
    return domain
}()
