// modules: CLibXML2 CLinux VirtCore VirtXML VirtModel
// flags: -Xcc -I/usr/include/libxml2 -lxml2

import VirtCore
import VirtModel
import VirtXML

/// A checkpoint's way from a client's bytes: parse, match the guest's disks, print, and read back.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCheckpoint(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    if var new = try? DomainCheckpoint.parse(new: String(decoding: bytes, as: UTF8.self), now: 1) {
        new.domain = guest
        try? new.alignDisks()
        _ = try? new.format(secure: true)
    }
    guard var known = try? DomainCheckpoint.parse(existing: bytes) else { return 0 }
    try? known.alignDisks()
    guard let text = try? known.format(secure: true) else { return 0 }
    _ = try? DomainCheckpoint.parse(existing: text.utf8)
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
