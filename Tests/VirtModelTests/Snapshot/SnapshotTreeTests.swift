import Testing
import VirtCore
import VirtModel

@Suite("The tree of a domain's snapshots")
struct SnapshotTreeTests {
    /// a - b - d (disks only), and b - e (off); c alone.
    private static let tree: SnapshotTree = {
        var tree = SnapshotTree()
        tree.put(SnapshotFixture.snapshot("e", parent: "b", .shutoff))
        tree.put(SnapshotFixture.snapshot("a"))
        tree.put(SnapshotFixture.snapshot("b", parent: "a", .paused))
        tree.put(SnapshotFixture.snapshot("c", .shutoff))
        tree.put(SnapshotFixture.snapshot("d", parent: "b", .diskSnapshot, external: true))
        return tree
    }()

    @Test("Parents come before their children")
    func descendants() {
        #expect(Self.tree.descendants(of: nil) == ["a", "b", "e", "d", "c"])
        #expect(Self.tree.descendants(of: "b") == ["e", "d"])
        #expect(Self.tree.children(of: "a") == ["b"])
    }

    /// Flags, and the names that they leave.
    private static let cases: [(UInt32, String)] = [
        (0, "abcde"), (1, "ac"), (4, "cde"), (8, "ab"), (12, "abcde"), (2, "abcde"), (16, ""), (18, "abcde"),
        (32, "ce"), (64, "ab"), (128, "d"), (160, "cde"), (224, "abcde"), (256, "abce"), (512, "d"), (768, "abcde"),
        (36, "ce"),
    ]

    @Test("Lists show what their flags ask for", arguments: cases)
    func filters(flags: UInt32, names: String) {
        #expect(Set(SnapshotFilter(flags).names(Self.tree, from: nil)) == Set(names.map(String.init)))
    }

    @Test("From a snapshot on, flag 1 asks for all that come from it")
    func fromOne() {
        #expect(SnapshotFilter(0).names(Self.tree, from: "a") == ["b"])
        #expect(SnapshotFilter(1).names(Self.tree, from: "a") == ["b", "e", "d"])
        #expect(SnapshotFilter(1 | 4).names(Self.tree, from: "a") == ["e", "d"])
        #expect(SnapshotFilter(1024).names(Self.tree, from: nil) == ["a", "b", "e", "d", "c"])
    }

    @Test("A parent must exist and not come from its child")
    func parents() throws {
        try Self.tree.checkParent(of: SnapshotFixture.snapshot("f", parent: "d"))
        try Self.tree.checkParent(of: SnapshotFixture.snapshot("b", parent: "c"))
        let wrong = [("f", "f"), ("f", "g"), ("a", "b"), ("a", "d")]
        for (name, parent) in wrong {
            let error = #expect(throws: VirtError.self) {
                try Self.tree.checkParent(of: SnapshotFixture.snapshot(name, parent: parent))
            }
            #expect(error?.code == .invalidArg)
        }
    }

    @Test("Names are unique, and unknown ones are an error")
    func names() throws {
        var tree = Self.tree
        #expect(throws: VirtError(.operationFailed, .domain, "domain moment a already exists")) {
            try tree.add(SnapshotFixture.snapshot("a"))
        }
        #expect(throws: VirtError(.noDomainSnapshot, .qemu, "no domain snapshot with matching name 'x'")) {
            try tree.find("x")
        }
        tree.current = "a"
        tree.remove("a")
        #expect(tree.current == nil && tree.count == 4)
        #expect(tree.children(of: nil).contains("b"))
    }

    @Test("Circles in files are cut")
    func circles() {
        var tree = SnapshotTree()
        tree.put(SnapshotFixture.snapshot("a", parent: "b"))
        tree.put(SnapshotFixture.snapshot("b", parent: "a"))
        tree.put(SnapshotFixture.snapshot("c"))
        tree.current = "a"
        let isSound = tree.repairRelations()
        #expect(!isSound)
        #expect(tree.current == nil)
        #expect(Set(tree.descendants(of: nil)) == ["a", "b", "c"])
        let isSoundNow = tree.repairRelations()
        #expect(isSoundNow)
    }
}
