import CLibXML2
package import VirtCore

/// How an application's element in `<metadata>` gets into its namespace and out of it again.
extension XMLNode {
    /// Declares a namespace at the element, and puts the element and all below it into it that are in none.
    ///
    /// - Throws: internalError when the prefix is no name, or means another namespace here.
    package func enterNamespace(_ uri: String, prefix: String) throws(VirtError) {
        guard unsafe xmlValidateNCName(prefix, 1) == 0 else {
            throw VirtError(.internalError, .xml, "failed to validate prefix for a new XML namespace")
        }
        guard let space = unsafe xmlNewNs(pointer, uri, prefix) else {
            throw VirtError(.internalError, .xml, "failed to create a new XML namespace")
        }
        forEachElement { element in
            if unsafe element.pointer.pointee.ns == nil { unsafe element.pointer.pointee.ns = unsafe space }
        }
    }

    /// Takes the element and all below it out of a namespace, whose declaration at the element goes too.
    package func leaveNamespace(_ uri: String) {
        forEachElement { element in
            if element.namespace == uri { unsafe element.pointer.pointee.ns = nil }
            var next = unsafe element.pointer.pointee.properties
            while let property = unsafe next {
                if let space = unsafe property.pointee.ns, unsafe xmlStrEqual(space.pointee.href, uri) != 0 {
                    unsafe property.pointee.ns = nil
                }
                unsafe next = unsafe property.pointee.next
            }
        }
        var link = unsafe pointer.pointee.nsDef
        var previous: UnsafeMutablePointer<xmlNs>?
        while let space = unsafe link {
            if unsafe xmlStrEqual(space.pointee.href, uri) != 0 {
                if let previous = unsafe previous {
                    unsafe previous.pointee.next = unsafe space.pointee.next
                } else {
                    unsafe pointer.pointee.nsDef = unsafe space.pointee.next
                }
                return unsafe xmlFreeNs(space)
            }
            unsafe previous = unsafe space
            unsafe link = unsafe space.pointee.next
        }
    }

    private func forEachElement(_ body: (XMLNode) -> Void) {
        body(self)
        for child in children { child.forEachElement(body) }
    }
}
