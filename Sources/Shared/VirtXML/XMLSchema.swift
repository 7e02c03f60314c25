import CLibXML2
import Synchronization
package import VirtCore

/// A RELAX NG schema, read once; documents are checked against it one after the other.
@safe package final class XMLSchema: Sendable {
    /// libxml2's schema. It is only looked at under the lock.
    @safe private struct Compiled: @unchecked Sendable {
        let pointer: xmlRelaxNGPtr
    }

    private let compiled: Mutex<Compiled>
    private let path: String

    /// The schemas that were used before, by path.
    private static let known = Mutex<[String: XMLSchema]>([:])

    /// The schema of a file, from memory where it was read before. Blocks.
    package static func at(_ path: String) throws(VirtError) -> XMLSchema {
        if let known = known.withLock({ $0[path] }) { return known }
        let schema = try XMLSchema(path)
        known.withLock { $0[path] = schema }
        return schema
    }

    /// Checks a document against one of the schemas that come with libvirt's client library. Blocks.
    ///
    /// - Throws: VIR_ERR_XML_INVALID_SCHEMA, or what parsing throws.
    package static func check(
        _ text: String, _ schema: String, root: String, name: String, domain: VirtError.Domain
    ) throws(VirtError) {
        let document = try XMLDocument.root(root, of: text.utf8, name: name, domain: domain).document
        try at("/usr/share/libvirt/schemas/\(schema).rng").validate(document)
    }

    private init(_ path: String) throws(VirtError) {
        xmlInitParser()
        let failure = SchemaErrors()
        guard let context = unsafe xmlRelaxNGNewParserCtxt(path) else {
            throw VirtError(.internalError, .xml, "Unable to create RNG parser for \(path)")
        }
        defer { unsafe xmlRelaxNGFreeParserCtxt(context) }
        unsafe xmlRelaxNGSetParserStructuredErrors(context, SchemaErrors.collect, failure.opaque)
        guard let pointer = unsafe withExtendedLifetime(failure, { unsafe xmlRelaxNGParse(context) }) else {
            throw VirtError(.internalError, .xml, "Unable to parse RNG \(path): \(failure.text)")
        }
        unsafe compiled = Mutex(Compiled(pointer: pointer))
        self.path = path
    }

    deinit { compiled.withLock { unsafe xmlRelaxNGFree($0.pointer) } }

    /// Throws VIR_ERR_XML_INVALID_SCHEMA with libxml2's words for a document that is not what the schema wants. Blocks.
    package func validate(_ document: XMLDocument) throws(VirtError) {
        let errors = SchemaErrors()
        let result = compiled.withLock { compiled -> Int32 in
            guard let context = unsafe xmlRelaxNGNewValidCtxt(compiled.pointer) else { return -1 }
            defer { unsafe xmlRelaxNGFreeValidCtxt(context) }
            unsafe xmlRelaxNGSetValidStructuredErrors(context, SchemaErrors.collect, errors.opaque)
            return unsafe xmlRelaxNGValidateDoc(context, document.pointer)
        }
        guard result != 0 else { return }
        throw VirtError(.xmlInvalidSchema, .xml, "Unable to validate doc against \(path)\n\(errors.text)")
    }
}

/// What libxml2 says while it reads a schema or checks a document.
private final class SchemaErrors {
    /// More than this nobody reads.
    private static let limit = 64 << 10
    private(set) var text = ""

    var opaque: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

    static let collect: xmlStructuredErrorFunc = { box, error in
        guard let box = unsafe box, let error = unsafe error, let message = unsafe error.pointee.message else { return }
        let errors = unsafe Unmanaged<SchemaErrors>.fromOpaque(box).takeUnretainedValue()
        if errors.text.utf8.count < SchemaErrors.limit { errors.text += unsafe String(cString: message) }
    }
}
