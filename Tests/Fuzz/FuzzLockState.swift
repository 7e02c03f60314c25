// modules: CLinux VirtCore
// with: ../../Sources/virtlockd/Driver/LockDocument.swift
import VirtCore

/// The locks in the document that virtlockd is replaced in place with: what is taken for one reads back the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLockState(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let object = try? JSONParser.parse(bytes).object, let document = try? LockDocument(parsing: object) else {
        return 0
    }
    guard let again = try? LockDocument(parsing: document.document), again.document == document.document else {
        fatalError("the document does not read back")
    }
    return 0
}
