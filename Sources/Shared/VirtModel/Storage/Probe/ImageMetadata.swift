/// What an image's header says.
package struct ImageMetadata: Equatable, Sendable {
    package var format: StorageFileFormat
    /// Bytes as a guest sees them; nil: the header does not say.
    package var capacity: UInt64?
    /// The backing image as written in the header.
    package var backingPath: String?
    /// nil: the header does not say.
    package var backingFormat: StorageFileFormat?
    package var encryption: StorageVolumeEncryption.Format?
    /// Where an encrypted raw image's payload starts, in bytes.
    package var payloadOffset: UInt64?
    /// The optional properties of the levels that have any.
    package var features: [StorageFileFeature]?
    package var clusterSize: UInt64 = 0

    init(format: StorageFileFormat) { self.format = format }
}
