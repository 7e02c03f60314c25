/// An element that is kept as it came: only its text is known.
@usableFromInline
package struct XMLFragment: Sendable, Hashable {
    /// The element with its children, indented for the place where it is printed.
    @usableFromInline
    package var text: String

    @usableFromInline
    package init(text: String) { self.text = text }
}
