import Glibc

/// An error as libvirt knows it: a code, the layer that raised it, and the text that clients print.
///
/// `message` is final: the text of the code's class with the detail filled in, as C libvirt shows it.
@usableFromInline
package struct VirtError: Error, Sendable, Equatable {
    /// A virErrorNumber.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
    }

    /// A virErrorDomain.
    package struct Domain: RawRepresentable, Hashable, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
    }

    package var code: Code
    package var domain: Domain
    /// virErrorLevel: 1 a warning, 2 an error. The daemons only raise errors.
    package var level: Int32
    /// The formatted text that clients print.
    package var message: String
    /// The pattern of the code's class, `%s` included.
    package var str1: String?
    /// The detail that went into the pattern.
    package var str2: String?
    package var str3: String?
    /// The errno of a system error, -1 elsewhere.
    package var int1: Int32
    package var int2: Int32

    /// An error of a class, with the detail that its text takes.
    ///
    /// `VirtError(.operationInvalid, .qemu, "domain is not running")` reads
    /// "Requested operation is not valid: domain is not running".
    package init(_ code: Code, _ domain: Domain, _ detail: String? = nil) {
        let text = ErrorText.text(for: code)
        self.code = code
        self.domain = domain
        level = 2
        int1 = -1
        int2 = -1
        // An empty detail counts as none, as in libvirt.
        if let detail, !detail.isEmpty {
            message = text.filled(with: detail)
            str1 = text.pattern
            str2 = detail
        } else {
            message = text.bare
            str1 = text.bare
        }
    }

    /// An error with a message that is used as it is: received from another daemon, or free text.
    package init(code: Code, domain: Domain, verbatim message: String) {
        self.code = code
        self.domain = domain
        level = 2
        self.message = message
        str1 = "%s"
        str2 = message
        int1 = -1
        int2 = -1
    }

    /// A failed system call: code 38, "text: strerror", the errno in `int1`.
    package static func system(_ errno: Int32, _ domain: Domain, _ text: String) -> VirtError {
        let reason = describe(errno: errno)
        var error = VirtError(.systemError, domain, text.isEmpty ? reason : "\(text): \(reason)")
        error.int1 = errno
        return error
    }

    /// The C library's text for an errno.
    package static func describe(errno: Int32) -> String {
        guard let text = unsafe strerror(errno) else { return "Unknown error \(errno)" }
        return unsafe String(cString: text)
    }
}

extension VirtError: CustomStringConvertible {
    @usableFromInline
    package var description: String { message }
}
