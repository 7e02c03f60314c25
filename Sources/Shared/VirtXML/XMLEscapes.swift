extension String {
    /// The text as libvirt prints it between quotation marks or tags.
    package var escapedForXML: String {
        var writer = ElementWriter()
        writer.escape(self)
        return writer.text
    }
}
