import VirtXML

/// The format of an image file (virStorageFileFormat), in libvirt's order.
package enum StorageFileFormat: String, StorageEnum, CaseIterable {
    case none, raw, dir, bochs, cloop, dmg, iso, vpc, vdi, fat, vhd, ploop, cow, qcow, qcow2, qed, vmdk

    /// Such an image can stand upon another one.
    package var canHaveBackingImage: Bool {
        switch self {
        case .cow, .qcow, .qcow2, .qed, .vmdk: true
        case .none, .raw, .dir, .bochs, .cloop, .dmg, .iso, .vpc, .vdi, .fat, .vhd, .ploop: false
        }
    }
}

/// An optional property of a qcow2 image, in libvirt's order.
package enum StorageFileFeature: String, StorageEnum, CaseIterable {
    case lazyRefcounts = "lazy_refcounts"
    case extendedL2 = "extended_l2"
}
