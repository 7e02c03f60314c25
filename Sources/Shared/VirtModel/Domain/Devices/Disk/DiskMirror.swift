package import VirtXML

/// The copy that a running block job writes (`<mirror>`).
package struct DiskMirror: Equatable, Sendable, XMLMappable {
    package enum Job: String, XMLEnum {
        case copy
        case activeCommit = "active-commit"
    }
    package enum Ready: String, XMLEnum { case yes, abort, pivot }

    package var job: Job?
    package var ready: Ready?
    package var format: DiskFormat?
    package var source = DiskSource()
    package var backingStore: BackingStore?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &source.type)
        if x.isWriting, source.type == .file, job == .copy {
            // Older clients know no other form.
            var path = source.file
            var format = self.format?.type
            try x.attribute("file", &path)
            try x.attribute("format", &format)
        }
        try x.attribute("job", &job)
        try x.attribute("ready", &ready)
        try x.element("format", &format)
        try x.element("source", &source, always: true)
        try x.element("backingStore", &backingStore)
    }
}
