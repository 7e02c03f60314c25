// modules: CLinux CLibXML2 VirtCore VirtXML VirtModel
// flags: -lxml2 -Xcc -I/usr/include/libxml2

import VirtModel

/// Image headers: whatever a guest wrote into its disk, looking at it neither traps nor keeps more than it holds.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImageProbe(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let found = ImageProbe.metadata(bytes)
    check(found, size)
    // A definition may claim any format for the same bytes.
    for format in StorageFileFormat.allCases { check(ImageProbe.metadata(bytes, as: format), size) }
    return 0
}

private func check(_ found: ImageMetadata, _ size: Int) {
    // Each invalid byte becomes three.
    precondition((found.backingPath?.utf8.count ?? 0) <= 3 * size)
    precondition((found.capacity ?? 0) <= UInt64(Int64.max))
}
