package import VirtXML

/// The geometry that the guest is told.
package struct DiskGeometry: Equatable, Sendable, XMLMappable {
    package enum Translation: String, XMLEnum { case none, auto, lba }
    package var cylinders: UInt32 = 0
    package var heads: UInt32 = 0
    package var sectors: UInt32 = 0
    package var translation: Translation?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("cyls", &cylinders)
        try x.required("heads", &heads)
        try x.required("secs", &sectors)
        try x.attribute("trans", &translation)
    }
}

/// The block sizes that the guest is told.
package struct DiskBlockIO: Equatable, Sendable, XMLMappable {
    package var logicalBlockSize: UInt32?
    package var physicalBlockSize: UInt32?
    package var discardGranularity: UInt32?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("logical_block_size", &logicalBlockSize)
        try x.attribute("physical_block_size", &physicalBlockSize)
        try x.attribute("discard_granularity", &discardGranularity)
    }
}
