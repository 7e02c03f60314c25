/// An element that is kept as it came: only its text is known.
package struct XMLFragment: Sendable, Hashable {
    /// The element with its children, indented for the place where it is printed.
    package var text: String

    package init(text: String) { self.text = text }
}
