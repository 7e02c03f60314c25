import VirtModel

/// What an image's header says.
struct ImageMetadata: Equatable, Sendable {
    var format: StorageFileFormat
    /// Bytes as a guest sees them; nil: the header does not say.
    var capacity: UInt64?
    /// The backing image as written in the header.
    var backingPath: String?
    /// nil: the header does not say.
    var backingFormat: StorageFileFormat?
    var encryption: StorageVolumeEncryption.Format?
    /// Where an encrypted raw image's payload starts, in bytes.
    var payloadOffset: UInt64?
    /// The optional properties of the levels that have any.
    var features: [StorageFileFeature]?
    var clusterSize: UInt64 = 0

    init(format: StorageFileFormat) { self.format = format }
}
