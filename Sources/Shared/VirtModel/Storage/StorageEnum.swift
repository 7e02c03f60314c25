package import VirtXML

/// An enumeration of storage documents: wrong words are reported as libvirt's storage parser does, with a final period.
package protocol StorageEnum: XMLEnum {}

extension StorageEnum {
    package static func expectation(format: XMLFormat) -> String { "." }
}

/// A setting that is `yes`, `no` or not said.
package enum StorageSwitch: String, StorageEnum {
    case yes, no
}
