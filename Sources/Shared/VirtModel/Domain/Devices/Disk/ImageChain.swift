/// One image of a disk's chain: where it is, and how its bytes are read.
package struct ChainImage: Equatable, Sendable {
    package var source: DiskSource
    /// Nil: nobody has said.
    package var format: DiskFormat?
    /// The image was found by following the one above; no definition names it.
    package var isDetected = false

    package init(_ source: DiskSource, format: DiskFormat? = nil, isDetected: Bool = false) {
        self.source = source
        self.format = format
        self.isDetected = isDetected
    }

    package var formatName: String { format?.type ?? "raw" }

    /// Without what only a running guest has.
    package var withoutRuntime: ChainImage {
        var image = self
        image.source.index = nil
        image.source.privateData = nil
        image.isDetected = false
        return image
    }

    /// Whether both are at the same place.
    package func isSameLocation(_ other: ChainImage) -> Bool {
        let (a, b) = (source, other.source)
        guard a.type == b.type, a.path == b.path else { return false }
        return a.type != .network || a.network == b.network
    }
}

/// A disk's images as a list, the top one first: the form in which chains are cut and joined.
package struct ImageChain: Equatable, Sendable {
    package var images: [ChainImage]
    /// Nothing is below the last image; otherwise nobody knows.
    package var isTerminated: Bool

    package init(_ images: [ChainImage] = [], isTerminated: Bool = false) {
        self.images = images
        self.isTerminated = isTerminated
    }

    /// The images below the top one, as `<backingStore>` elements within each other.
    var store: BackingStore? {
        var store: BackingStore? = isTerminated ? BackingStore() : nil
        for image in images.dropFirst().reversed() {
            var upper = BackingStore()
            upper.source = image.source
            upper.format = image.format
            upper.isDetected = image.isDetected
            upper.backingStore = store
            store = upper
        }
        return store
    }

    init(_ top: ChainImage?, _ store: BackingStore?) {
        images = top.map { [$0] } ?? []
        isTerminated = false
        var next = store
        while let layer = next {
            guard let source = layer.source else {
                isTerminated = true
                return
            }
            images.append(ChainImage(source, format: layer.format, isDetected: layer.isDetected))
            next = layer.backingStore
        }
    }
}

extension Disk {
    /// All images of the disk; none when it is empty.
    package var imageChain: ImageChain {
        get { ImageChain(source.isEmpty ? nil : ChainImage(source, format: topFormat), backingStore) }
        set {
            guard let top = newValue.images.first else { return }
            if top.source != source {
                // What stands beside the source is about the image before.
                auth = nil
                encryption = nil
            }
            source = top.source
            if driver != nil || top.format != nil {
                var driver = self.driver ?? DiskDriver()
                driver.type = top.format?.type
                driver.metadataCache = top.format?.metadataCache
                self.driver = driver
            }
            backingStore = newValue.store
        }
    }

    private var topFormat: DiskFormat? {
        guard let type = driver?.type else { return nil }
        var format = DiskFormat()
        format.type = type
        format.metadataCache = driver?.metadataCache
        return format
    }
}

extension DiskMirror {
    /// The images of the copy.
    package var imageChain: ImageChain {
        get { ImageChain(ChainImage(source, format: format), backingStore) }
        set {
            guard let top = newValue.images.first else { return }
            source = top.source
            format = top.format
            backingStore = newValue.store
        }
    }
}
