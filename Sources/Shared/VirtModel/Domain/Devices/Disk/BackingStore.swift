package import VirtXML

/// The image below another one (`<backingStore>`); empty at the end of a chain.
package struct BackingStore: Equatable, Sendable, XMLMappable {
    /// Nil at the end of a chain.
    package var source: DiskSource?
    package var format: DiskFormat?
    /// The image was found by following the one above; definitions do not name it.
    package var isDetected = false
    /// The next one; an array because a value can't hold itself.
    private var next: [BackingStore] = []

    package var backingStore: BackingStore? {
        get { next.first }
        set { next = newValue.map { [$0] } ?? [] }
    }

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var type = source?.type
        try x.attribute("type", &type)
        guard let type else { return }
        var source = self.source ?? DiskSource()
        source.type = type
        try mapIndex(&source, &x)
        try x.element("format", &format)
        let index = source.index
        if x.isWriting, x.flags.contains(.status) { source.nameNodes() }
        source.index = nil
        try x.element("source", &source, always: true)
        source.index = index
        try x.element("backingStore", &backingStore)
        self.source = source
    }

    /// The number of a backing image stands on `<backingStore>`, not on its source.
    private func mapIndex<M: ElementMapper>(_ source: inout DiskSource, _ x: inout M) throws {
        if x.flags.contains(.inactive) {
            source.index = nil
            return
        }
        try x.attribute("index", &source.index)
    }
}

extension Disk {
    /// The images of the disk, the top one first.
    package var chain: [DiskSource] {
        var sources = source.isEmpty ? [] : [source]
        var next = backingStore
        while let layer = next, let image = layer.source {
            sources.append(image)
            next = layer.backingStore
        }
        return sources
    }
}
