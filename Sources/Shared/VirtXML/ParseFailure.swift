import CLibXML2
import VirtCore

/// What libxml2 found wrong with a document: the first fatal error, with the place.
final class ParseFailure {
    struct Place {
        var message: String
        var line: Int
        /// The line of the document, and the column of the error in it.
        var text: String
        var column: Int
    }

    private(set) var first: Place?

    /// Has libxml2 report to the `ParseFailure` in the context's private pointer, and stop at entity declarations.
    static func install(in context: xmlParserCtxtPtr) {
        unsafe context.pointee.sax.pointee.serror = { context, error in unsafe ParseFailure.report(context, error) }
        unsafe context.pointee.sax.pointee.entityDecl = { context, _, _, _, _, _ in
            unsafe ParseFailure.refuse(context, "Entity declarations are not allowed\n")
        }
        unsafe context.pointee.sax.pointee.unparsedEntityDecl = { context, _, _, _, _ in
            unsafe ParseFailure.refuse(context, "Entity declarations are not allowed\n")
        }
    }

    /// The error as libvirt words it: `(name):line: message`, the line, and an arrow to the column.
    func error(name: String, domain: VirtError.Domain) -> VirtError {
        guard let first else { return VirtError(.xmlError, domain, "failed to parse xml document '\(name)'") }
        let context = first.text.isEmpty ? "(null)" : first.text
        let arrow = String(repeating: "-", count: first.column) + "^"
        return VirtError(
            code: .xmlDetail, domain: domain,
            verbatim: "(\(name)):\(first.line): \(first.message)\(context)\n\(arrow)")
    }

    private static func context(_ raw: UnsafeMutableRawPointer?) -> xmlParserCtxtPtr? {
        unsafe raw?.assumingMemoryBound(to: xmlParserCtxt.self)
    }

    private static func refuse(_ raw: UnsafeMutableRawPointer?, _ message: String) {
        guard let context = unsafe context(raw) else { return }
        unsafe record(in: context, message, line: context.pointee.input.map { unsafe Int($0.pointee.line) } ?? 0)
        unsafe xmlStopParser(context)
    }

    private static func report(_ raw: UnsafeMutableRawPointer?, _ error: UnsafePointer<xmlError>?) {
        guard let error = unsafe error, unsafe error.pointee.level == XML_ERR_FATAL,
            let context = unsafe context(error.pointee.ctxt)
        else { return }
        let message = unsafe error.pointee.message.map { unsafe String(cString: $0) } ?? "unknown error\n"
        unsafe record(in: context, message, line: Int(error.pointee.line))
    }

    private static func record(in context: xmlParserCtxtPtr, _ message: String, line: Int) {
        guard let box = unsafe context.pointee._private else { return }
        let failure = unsafe Unmanaged<ParseFailure>.fromOpaque(box).takeUnretainedValue()
        guard failure.first == nil else { return }
        var place = Place(message: message, line: line, text: "", column: 0)
        if let input = unsafe context.pointee.input { unsafe locate(input, &place) }
        failure.first = place
    }

    /// The line around the parser's position; a position on a line end belongs to the line before it.
    private static func locate(_ input: xmlParserInputPtr, _ place: inout Place) {
        guard let base = unsafe input.pointee.base, let current = unsafe input.pointee.cur,
            let end = unsafe input.pointee.end
        else {
            return
        }
        var start = unsafe current
        while unsafe start > base, unsafe isLineEnd(start.pointee) { unsafe start -= 1 }
        while unsafe start > base, unsafe !isLineEnd(start.pointee) { unsafe start -= 1 }
        if unsafe isLineEnd(start.pointee) { unsafe start += 1 }
        var stop = unsafe start
        while unsafe stop < end, unsafe stop.pointee != 0, unsafe !isLineEnd(stop.pointee) { unsafe stop += 1 }
        place.column = unsafe max(0, current - start)
        place.text = unsafe String(
            decoding: UnsafeBufferPointer(start: start, count: max(0, stop - start)), as: UTF8.self)
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }
}
