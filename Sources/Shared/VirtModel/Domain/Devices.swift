import VirtCore
package import VirtXML

/// The guest's devices by kind, in the order in which libvirt prints them (`<devices>`).
package struct Devices: Equatable, Sendable, XMLMappable {
    package var emulator: String?
    package var disks: [Disk] = []
    package var controllers: [Controller] = []
    package var leases: [Lease] = []
    package var filesystems: [Filesystem] = []
    package var interfaces: [Interface] = []
    package var smartcards: [Smartcard] = []
    package var serials: [SerialPort] = []
    package var parallels: [ParallelPort] = []
    package var consoles: [Console] = []
    package var channels: [Channel] = []
    package var inputs: [Input] = []
    package var tpms: [TPM] = []
    package var graphics: [Graphics] = []
    package var sounds: [Sound] = []
    package var audios: [Audio] = []
    package var videos: [Video] = []
    package var hostdevs: [Hostdev] = []
    package var redirectedDevices: [RedirectedDevice] = []
    package var redirectionFilter: RedirectionFilter?
    package var hubs: [Hub] = []
    package var watchdogs: [Watchdog] = []
    package var memballoon: MemoryBalloon?
    package var rngs: [RandomGenerator] = []
    package var nvram: NVRAMDevice?
    package var panics: [Panic] = []
    package var sharedMemories: [SharedMemory] = []
    package var memories: [MemoryDevice] = []
    package var iommu: IOMMU?
    package var vsock: VSock?
    package var cryptos: [Crypto] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("emulator", &emulator)
        try x.elements("disk", &disks)
        try x.elements("controller", &controllers)
        try x.elements("lease", &leases)
        try x.elements("filesystem", &filesystems)
        try x.elements("interface", &interfaces)
        try x.elements("smartcard", &smartcards)
        try x.elements("serial", &serials)
        try x.elements("parallel", &parallels)
        try x.elements("console", &consoles)
        try x.elements("channel", &channels)
        try x.elements("input", &inputs)
        try x.elements("tpm", &tpms)
        try x.elements("graphics", &graphics)
        try x.elements("sound", &sounds)
        try x.elements("audio", &audios)
        try x.elements("video", &videos)
        try x.elements("hostdev", &hostdevs)
        try x.elements("redirdev", &redirectedDevices)
        try x.element("redirfilter", &redirectionFilter)
        try x.elements("hub", &hubs)
        try x.elements("watchdog", &watchdogs)
        try x.element("memballoon", &memballoon)
        if let node = x.node { try Self.checkSingle(node) }
        try x.elements("rng", &rngs)
        try x.element("nvram", &nvram)
        try x.elements("panic", &panics)
        try x.elements("shmem", &sharedMemories)
        try x.elements("memory", &memories)
        try x.elements("crypto", &cryptos)
        try x.element("iommu", &iommu)
        try x.element("vsock", &vsock)
    }

    /// Devices of which a guest has at most one.
    private static func checkSingle(_ node: XMLNode) throws(VirtError) {
        if node.children("watchdog").count > 1 { throw only("a single watchdog device is") }
        if node.children("memballoon").count > 1 { throw only("a single memory balloon device is") }
        if node.children("nvram").count > 1 { throw only("a single nvram device is") }
        if node.children("redirfilter").count > 1 { throw only("one set of redirection filter rule is") }
        if node.children("iommu").count > 1 { throw only("a single IOMMU device is") }
        if node.children("vsock").count > 1 { throw only("a single vsock device is") }
    }

    private static func only(_ what: String) -> VirtError {
        VirtError(.internalError, .domain, "only \(what) supported")
    }
}
