// modules: CLinux VirtCore VirtWire
// with: ProtocolFuzzer.swift ../VirtWireTests/CodecTable.swift ../VirtWireTests/FieldPrinter.swift
// with: ../VirtWireTests/Generated/RemoteCodecs.swift ../VirtWireTests/Generated/QemuCodecs.swift
// with: ../VirtWireTests/Generated/AdminCodecs.swift ../VirtWireTests/Generated/LogCodecs.swift
// with: ../VirtWireTests/Generated/LockCodecs.swift ../VirtWireTests/Generated/KeepaliveCodecs.swift
// with: ../VirtWireTests/Generated/TrunkCodecs.swift

/// The decoders of the log program.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    ProtocolFuzzer.run(.log, start, count)
    return 0
}
