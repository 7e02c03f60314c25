// modules: CLinux VirtCore
import VirtCore

/// Parses configuration files, and reads every setting with every type.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConf(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let file = try? ConfigFile.parse(bytes: bytes, name: "fuzz.conf") else { return 0 }
    for entry in file.entries {
        _ = try? file.string(entry.name)
        _ = try? file.int(entry.name)
        _ = try? file.uint(entry.name)
        _ = try? file.uint(entry.name, as: UInt64.self)
        _ = try? file.bool(entry.name)
        _ = try? file.strings(entry.name, orSingle: true)
        if case .string(let text) = entry.value {
            _ = try? LogFilter.parse(text)
            _ = try? LogOutput.parse(text)
            _ = UUID(parsing: text)
        }
    }
    _ = try? file.check(ConfigSchema(["a": .uint, "b": .strings]))
    return 0
}
