public import VirtCore

/// The error for a text that is not one of an attribute's values, where libvirt has one of its own for it.
@usableFromInline
package struct InvalidValue: Sendable {
    let code: VirtError.Code
    let domain: VirtError.Domain
    let text: String
    let isQuoted: Bool

    /// The code, and the text up to the value, which is added, in quotes unless `quoted` says otherwise.
    package init(_ code: VirtError.Code, _ text: String, domain: VirtError.Domain = .domain, quoted: Bool = true) {
        self.code = code
        self.domain = domain
        self.text = text
        isQuoted = quoted
    }

    /// Code 67: "unsupported configuration: unknown disk bus type 'x'".
    package static func unsupported(_ text: String, domain: VirtError.Domain = .domain) -> InvalidValue {
        InvalidValue(.configUnsupported, text, domain: domain)
    }

    /// Code 27: "XML error: unknown model 'x'".
    package static func malformed(_ text: String, domain: VirtError.Domain = .domain) -> InvalidValue {
        InvalidValue(.xmlError, text, domain: domain)
    }

    /// Code 1, which libvirt raises in its oldest code.
    package static func `internal`(_ text: String, domain: VirtError.Domain = .domain) -> InvalidValue {
        InvalidValue(.internalError, text, domain: domain)
    }

    @usableFromInline
    func error(_ value: String) -> VirtError {
        VirtError(code, domain, isQuoted ? "\(text) '\(value)'" : "\(text) \(value)")
    }
}

extension VirtError {
    /// libvirt's error for an attribute whose text is none of its values.
    @usableFromInline
    package static func invalidAttribute(
        _ name: String, of element: String, value: String, expectation: String = ""
    ) -> VirtError {
        VirtError(
            .xmlError, .xml, "Invalid value for attribute '\(name)' in element '\(element)': '\(value)'\(expectation)")
    }

    /// The error for an element's text that is none of its values.
    @usableFromInline
    static func invalidText(_ text: String, of element: String) -> VirtError {
        VirtError(.xmlError, .domain, "Invalid value '\(text)' of element '\(element)'")
    }

    /// libvirt's error for an attribute that must be there.
    @usableFromInline
    package static func missingAttribute(_ name: String, of element: String) -> VirtError {
        VirtError(.xmlError, .xml, "Missing required attribute '\(name)' in element '\(element)'")
    }

    /// An error about a document's contents, code 27.
    package static func malformed(_ detail: String, _ domain: VirtError.Domain = .domain) -> VirtError {
        VirtError(.xmlError, domain, detail)
    }

    /// An error about contents that this host or driver does not do, code 67.
    package static func unsupported(_ detail: String, _ domain: VirtError.Domain = .domain) -> VirtError {
        VirtError(.configUnsupported, domain, detail)
    }
}
