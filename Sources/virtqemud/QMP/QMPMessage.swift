package import VirtCore

/// An event that QEMU sent.
package struct QMPEvent: Sendable, Equatable {
    package var name: String
    /// The event's members; null when it has none.
    package var data: JSONValue
    /// When it happened on QEMU's clock; -1 when QEMU could not tell.
    package var seconds: Int64
    package var microseconds: Int64

    package init(name: String, data: JSONValue = .null, seconds: Int64 = -1, microseconds: Int64 = -1) {
        self.name = name
        self.data = data
        self.seconds = seconds
        self.microseconds = microseconds
    }
}

/// QEMU's refusal of one command.
package struct QMPFailure: Error, Sendable, Equatable {
    package var command: String
    /// `GenericError`, `CommandNotFound`, `DeviceNotFound`, `DeviceNotActive` or `KVMMissingCap`.
    package var errorClass: String
    package var text: String

    package init(command: String, errorClass: String, text: String) {
        self.command = command
        self.errorClass = errorClass
        self.text = text
    }

    /// The error that libvirt makes of it.
    package var virtError: VirtError {
        let detail = "unable to execute QEMU command '\(command)'"
        return VirtError(.internalError, .qemu, text.isEmpty ? detail : "\(detail): \(text)")
    }
}

/// What QEMU says of itself before anything else.
package struct QMPGreeting: Sendable, Equatable {
    package var major: Int64
    package var minor: Int64
    package var micro: Int64
    /// The distribution's package string, "" where there is none.
    package var package: String
    /// Whether QEMU can run commands out of band.
    package var hasOutOfBand: Bool

    init?(_ value: JSONValue) {
        guard let version = value["version"]?["qemu"], let major = version["major"]?.int,
            let minor = version["minor"]?.int, let micro = version["micro"]?.int
        else { return nil }
        self.major = major
        self.minor = minor
        self.micro = micro
        package = value["version"]?["package"]?.string ?? ""
        hasOutOfBand = value["capabilities"]?.array?.contains("oob") ?? false
    }
}

/// One command of a batch.
package struct QMPCommand: Sendable, Hashable {
    package var name: String
    package var arguments: JSONValue?

    package init(_ name: String, _ arguments: JSONValue? = nil) {
        self.name = name
        self.arguments = arguments
    }
}
