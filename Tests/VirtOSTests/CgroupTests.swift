import Glibc
import Testing
import VirtCore

@testable import VirtOS

@Suite("Control groups")
struct CgroupTests {
    private static let hybrid = """
        24 1 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw
        25 24 0:22 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
        26 24 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
        27 24 0:24 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
        28 24 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd

        """

    @Test("a host with both versions asks the second first, for what it has")
    func both() {
        let hierarchy = CgroupHierarchy(mountinfo: Self.hybrid) { path in
            path == "/sys/fs/cgroup/unified/cgroup.controllers" ? "hugetlb\n" : nil
        }
        #expect(hierarchy.legacy == [.cpu: "/sys/fs/cgroup/cpu,cpuacct", .memory: "/sys/fs/cgroup/memory"])
        #expect(hierarchy.mount(.cpuacct)?.point == "/sys/fs/cgroup/unified")
        #expect(hierarchy.mount(.cpuacct)?.isUnified == true)
        #expect(hierarchy.mount(.blkio) == nil)
        #expect(hierarchy.mounts == ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"])
    }

    @Test("version 2 alone has its io as blkio")
    func unified() {
        let hierarchy = CgroupHierarchy(mountinfo: "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n") { _ in
            "cpuset cpu io memory pids\n"
        }
        #expect(hierarchy.unifiedControllers == [.cpu, .cpuacct, .cpuset, .memory, .devices, .blkio])
        let group = Cgroup(hierarchy, path: "/machine/one")
        #expect(group.file(.blkio, "blkio.weight", "io.weight") == "/sys/fs/cgroup/machine/one/io.weight")
        #expect(group.child("vcpu0").path == "/machine/one/vcpu0")
        #expect(hierarchy.path(inProcess: "0::/machine/one/emulator\n") == "/machine/one/emulator")
    }

    @Test("a process's group is the one in a tree that guests are put into")
    func processes() {
        let hierarchy = CgroupHierarchy(mountinfo: Self.hybrid) { _ in "" }
        let text = "9:name=systemd:/init.scope\n4:memory:/machine/one\n0::/machine/one\n"
        #expect(hierarchy.path(inProcess: text) == "/machine/one")
        #expect(hierarchy.path(inProcess: "broken") == nil)
    }

    @Test("an administrator's list leaves out the rest, and an empty one everything")
    func limited() {
        let hierarchy = CgroupHierarchy(mountinfo: Self.hybrid) { _ in "" }
        #expect(hierarchy.limited(to: nil) == hierarchy)
        #expect(hierarchy.limited(to: ["memory"])?.legacy.keys.map { $0 } == [.memory])
        #expect(hierarchy.limited(to: []) == nil)
    }

    @Test("hostile lines of the kernel's files are passed over")
    func hostile() {
        for line in ["", "- - -", "1 2 3 4 - cgroup", "1 2 3 4 5 6 7 -", String(repeating: " ", count: 5000)] {
            let hierarchy = CgroupHierarchy(mountinfo: line) { _ in nil }
            #expect(hierarchy.legacy.isEmpty && hierarchy.unified == nil)
        }
    }

    @Test("counters are read by name")
    func counters() {
        let fields = Cgroup.fields("usage_usec 120\nuser_usec 100\nbroken\nsystem_usec x\n")
        #expect(fields == ["usage_usec": 120, "user_usec": 100])
    }

    @Test("limits, processors and a process in a real group")
    func real() throws {
        // Only root may, and only where the tree is not mounted read-only.
        guard let hierarchy = CgroupHierarchy.ofHost(), hierarchy.mount(.cpu) != nil else { return }
        let group = Cgroup(hierarchy, path: "/virtswarm-test-\(getpid())")
        guard (try? group.create()) != nil else { return }
        defer { _ = group.remove() }
        let isUnified = hierarchy.mount(.cpu)?.isUnified == true
        try group.setShares(isUnified ? 300 : 512)
        #expect(try group.shares() == (isUnified ? 300 : 512))
        try group.setBandwidth(period: 50000, quota: 20000)
        #expect(try group.bandwidth() == Cgroup.Bandwidth(period: 50000, quota: 20000))
        try group.setBandwidth(period: nil, quota: Cgroup.noQuota)
        #expect(try group.bandwidth() == Cgroup.Bandwidth(period: 50000, quota: -1))
        #expect(throws: VirtError.self) { try group.setShares(0) }
        #expect(group.exists)
        #expect(group.remove())
        #expect(!group.exists)
    }
}
