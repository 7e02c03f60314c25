package import VirtModel

extension Domain {
    /// Numbers every image (`libvirt-N-format`), from the last disk to the first, and within a chain from the top down;
    /// then the SCSI devices of the host.
    ///
    /// - Parameter last: the highest number in use already.
    /// - Returns: the highest number in use now.
    @discardableResult
    package mutating func assignNodeIndexes(after last: UInt32 = 0) -> UInt32 {
        var last = last
        for index in devices.disks.indices.reversed() where devices.disks[index].target.bus != .sd {
            devices.disks[index].assignNodeIndexes(&last)
        }
        for index in devices.hostdevs.indices where devices.hostdevs[index].type == .scsi {
            guard devices.hostdevs[index].source.nodeIndex == nil else { continue }
            last += 1
            devices.hostdevs[index].source.nodeIndex = last
        }
        return last
    }
}

extension Disk {
    /// Numbers the images of the chain that have no number yet.
    package mutating func assignNodeIndexes(_ last: inout UInt32) {
        if source.index == nil {
            // A drive without medium takes a number as well.
            last += 1
            if !source.isEmpty { source.index = last }
        }
        backingStore?.assignNodeIndexes(&last)
    }
}

extension BackingStore {
    fileprivate mutating func assignNodeIndexes(_ last: inout UInt32) {
        guard source != nil else { return }
        if source?.index == nil {
            last += 1
            source?.index = last
        }
        var next = backingStore
        next?.assignNodeIndexes(&last)
        backingStore = next
    }
}
