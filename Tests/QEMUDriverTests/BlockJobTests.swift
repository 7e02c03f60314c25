import Testing
import VirtCore
import VirtModel
import VirtXML

@testable import QEMUDriver

@Suite("Chains of images and what is done with their bitmaps")
struct ImageChainTests {
    static func image(_ name: String, _ index: UInt32) -> ChainImage {
        var source = DiskSource()
        source.file = "/images/\(name)"
        source.index = index
        var format = DiskFormat()
        format.type = "qcow2"
        return ChainImage(source, format: format)
    }

    static let chain = ImageChain(
        [image("top", 1), image("mid", 2), image("base", 3)], isTerminated: true)

    static var disk: Disk {
        var disk = Disk()
        disk.target.dev = "vda"
        disk.imageChain = chain
        return disk
    }

    @Test("A disk's images are a list, and the list is the disk's images")
    func list() {
        var disk = Self.disk
        #expect(disk.driver?.type == "qcow2")
        #expect(disk.backingStore?.backingStore?.source?.file == "/images/base")
        #expect(disk.backingStore?.backingStore?.backingStore == BackingStore())
        #expect(disk.imageChain == Self.chain)
        disk.imageChain = ImageChain(Array(Self.chain.images.dropFirst(2)))
        #expect(disk.source.file == "/images/base")
        #expect(disk.backingStore == nil)
    }

    @Test(
        "An image is found by its number, its path, or as the last one",
        arguments: [
            (nil, 2), ("vda[2]", 1), ("/images/mid", 1), ("/images/top", 0),
        ] as [(String?, Int)])
    func find(name: String?, position: Int) throws {
        #expect(try Self.chain.find(name, disk: "vda") == position)
    }

    @Test(
        "What is not in the chain, or not below, is refused in libvirt's words",
        arguments: [
            ("vda[9]", Int?.none, "could not find backing store index '9' in chain for 'vda'"),
            ("vdb[2]", nil, "requested target 'vdb' does not match target 'vda'"),
            ("/images/other", nil, "could not find image '/images/other' in chain for 'vda'"),
            ("/images/top", 1, "could not find image '/images/top' beneath '/images/mid' in chain for 'vda'"),
        ] as [(String, Int?, String)])
    func missing(name: String, above: Int?, text: String) {
        let error = #expect(throws: VirtError.self) { try Self.chain.find(name, below: above, disk: "vda") }
        #expect(error?.code == .invalidArg)
        #expect(error?.message.contains(text) == true)
    }

    private static func nodes(_ bitmaps: [(node: UInt32, name: String, recording: Bool)]) throws -> NamedNodes {
        let entries = (1...3).map { index -> String in
            let list = bitmaps.filter { $0.node == index }.map { bitmap in
                #"{"name":"\#(bitmap.name)","recording":\#(bitmap.recording),"persistent":true,"#
                    + #""granularity":65536,"count":131072}"#
            }
            return #"{"node-name":"libvirt-\#(index)-format","image":{"virtual-size":1048576,"actual-size":4096,"#
                + #""cluster-size":65536},"dirty-bitmaps":[\#(list.joined(separator: ","))]}"#
        }
        return NamedNodes(try JSONParser.parse("[" + entries.joined(separator: ",") + "]"))
    }

    @Test("A checkpoint's bitmap is sound from the top down without a gap")
    func validity() throws {
        let images = Self.chain.images
        #expect(try Self.nodes([(1, "c", true)]).isValid("c", images))
        #expect(try Self.nodes([(1, "c", true), (2, "c", true)]).isValid("c", images))
        #expect(try !Self.nodes([(2, "c", true)]).isValid("c", images))
        #expect(try !Self.nodes([(1, "c", true), (3, "c", true)]).isValid("c", images))
        #expect(try !Self.nodes([(1, "c", true), (2, "c", false)]).isValid("c", images))
    }

    @Test("Bitmaps that are in the target already are merged into; others are made there first")
    func merging() throws {
        let images = Self.chain.images
        let known = try Self.nodes([(1, "a", true), (1, "b", true), (2, "a", true)])
        let actions = BitmapActions.merge(
            .init(images: [images[0]], chain: images, target: images[1], writeSource: images[1]), known)
        let types = actions.compactMap { $0["type"]?.string }
        #expect(
            types == [
                "block-dirty-bitmap-add", "block-dirty-bitmap-merge", "block-dirty-bitmap-merge",
                "block-dirty-bitmap-remove",
            ])
        #expect(actions[0]["data"]?["name"]?.string == "b")
        #expect(actions[0]["data"]?["granularity"]?.int == 65536)
        #expect(actions[2]["data"]?["target"]?.string == "a")
        #expect(actions[2]["data"]?["bitmaps"]?.array?.count == 2)
    }

    @Test("A new image gets the size of the one it is like, and names the one below")
    func newImage() throws {
        var new = try NewImage(Self.image("new", 4), like: Self.chain.images[0], Self.nodes([]))
        new.backing = Self.chain.images[1]
        let options = try #require(try new.formatOptions())
        #expect(options["size"]?.int == 1_048_576)
        #expect(options["cluster-size"]?.int == 65536)
        #expect(options["backing-file"]?.string == "/images/mid")
        #expect(options["backing-fmt"]?.string == "qcow2")
        #expect(new.storageOptions == nil)
    }

    @Test("Relative names are joined from directory to directory")
    func relativeNames() {
        #expect(RelativeNames.join(["mid.img"]) == "mid.img")
        #expect(RelativeNames.join(["../a/mid.img", "base.img"]) == "../a/base.img")
        #expect(RelativeNames.join(["mid.img", nil]) == nil)
    }

    @Test("A definition's disk follows the running one only from the same place, and without what was detected")
    func rewriting() {
        var config = Disk()
        config.imageChain = ImageChain([Self.chain.images[0].withoutRuntime])
        var found = Self.image("base", 3)
        found.isDetected = true
        DomainActor.rewrite(&config, Self.disk, ImageChain([Self.image("copy", 4), found], isTerminated: true))
        #expect(config.source.file == "/images/copy")
        #expect(config.source.index == nil)
        #expect(config.backingStore == nil)
        var other = Disk()
        other.imageChain = ImageChain([Self.image("elsewhere", 9)])
        let before = other
        DomainActor.rewrite(&other, Self.disk, Self.chain)
        #expect(other == before)
    }
}

@Suite("Block jobs in status files")
struct BlockJobStatusTests {
    private var domain: Domain {
        var domain = Domain()
        domain.devices.disks = [ImageChainTests.disk]
        return domain
    }

    private func read(_ text: String) throws -> [BlockJob] {
        BlockJob.read(try XMLDocument.parse(text, name: "status", domain: .qemu).root, domain)
    }

    @Test("Jobs as C libvirt notes them are read, and written in the same words")
    func roundTrip() throws {
        let text = """
              <blockjobs active='yes'>
                <blockjob name='commit-vda-libvirt-2-format' type='commit' state='running' jobflags='0x0'>
                  <disk dst='vda'/>
                  <base node='libvirt-3-format'/>
                  <top node='libvirt-2-format'/>
                  <topparent node='libvirt-1-format'/>
                  <deleteCommittedImages/>
                </blockjob>
              </blockjobs>

            """
        let jobs = try read(text)
        let job = try #require(jobs.first)
        #expect(job.kind == .commit)
        #expect([job.topParent, job.top, job.base] == [1, 2, 3])
        #expect(job.deletesImages)
        #expect(!job.isInvalid)
        #expect(try BlockJob.format(jobs, domain) == text)
    }

    @Test("A copy's flags, and a backup's file, survive")
    func copyAndBackup() throws {
        var copy = BlockJob(.copy, name: "copy-vda-libvirt-1-format", disk: "vda", flags: 5)
        copy.state = .ready
        copy.hasMirror = true
        copy.isShallowNew = true
        var backup = BlockJob(.backup, name: "backup-vda-libvirt-1-format", disk: "vda")
        backup.image = ImageChainTests.image("backup", 7)
        backup.bitmap = "backup-vda"
        let text = try BlockJob.format([copy, backup], domain)
        #expect(text.contains("jobflags='0x5' shallownew='yes'"))
        #expect(text.contains("<disk dst='vda' mirror='yes'/>"))
        let jobs = try read(text)
        #expect(jobs.count == 2)
        #expect(jobs.last == copy)
        #expect(jobs.first?.image?.source.file == "/images/backup")
        #expect(jobs.first?.image?.source.index == 7)
    }

    @Test(
        "A job that names no image of its disk, or no disk, is kept as invalid",
        arguments: [
            "<blockjob name='x' type='commit' state='running'><disk dst='vda'/><base node='libvirt-9-format'/></blockjob>",
            "<blockjob name='x' type='pull' state='running'><disk dst='vdz'/></blockjob>",
            "<blockjob name='x' type='unheard' state='running'><disk dst='vda'/></blockjob>",
            "<blockjob name='x' type='pull' state='asleep'><disk dst='vda'/></blockjob>",
            "<blockjob name='x' type='backup' state='running'><disk dst='vda'/></blockjob>",
        ])
    func invalid(element: String) throws {
        let jobs = try read("<blockjobs active='yes'>\(element)</blockjobs>")
        #expect(jobs.map(\.name) == ["x"])
        #expect(jobs.first?.isInvalid == true)
    }
}

@Suite("The tree of checkpoints")
struct CheckpointListTests {
    private func list(_ parents: KeyValuePairs<String, String?>) -> CheckpointList {
        var list = CheckpointList()
        for (name, parent) in parents {
            var checkpoint = DomainCheckpoint()
            checkpoint.name = name
            checkpoint.parent = parent
            list.set(checkpoint)
        }
        list.chooseCurrent()
        return list
    }

    @Test("Parents come before children, and the only leaf is the latest")
    func order() {
        let checkpoints = list(["c": "b", "b": "a", "a": nil])
        #expect(checkpoints.list(below: nil, flags: 0) == ["a", "b", "c"])
        #expect(checkpoints.list(below: nil, flags: 1) == ["a"])
        #expect(checkpoints.list(below: nil, flags: 4) == ["c"])
        #expect(checkpoints.list(below: nil, flags: 8) == ["a", "b"])
        #expect(checkpoints.list(below: "a", flags: 0) == ["b"])
        #expect(checkpoints.list(below: "a", flags: 1) == ["b", "c"])
        #expect(checkpoints.current == "c")
        #expect(list(["a": nil, "b": nil]).current == nil)
    }

    @Test("A circle in files ends, and cannot be made")
    func circles() {
        let circle = list(["a": "b", "b": "a"])
        #expect(circle.list(below: "a", flags: 1).count <= 2)
        let checkpoints = list(["b": "a", "a": nil])
        for (name, parent) in [("a", "b"), ("a", "a"), ("c", "missing")] {
            var checkpoint = DomainCheckpoint()
            checkpoint.name = name
            checkpoint.parent = parent
            let error = #expect(throws: VirtError.self) { try checkpoints.checkParent(of: checkpoint, domain: "d") }
            #expect(error?.code == .invalidArg)
        }
    }
}
