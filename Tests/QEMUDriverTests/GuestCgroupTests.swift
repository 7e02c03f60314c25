import Testing
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

@testable import QEMUDriver

@Suite("A guest's control group")
struct GuestCgroupTests {
    @Test(
        "names are what systemd takes",
        arguments: [
            ("web", "qemu-3-web"), ("my guest!", "qemu-3-myguest"), ("-a..b--c-", "qemu-3-a.b-c"), ("äöü", "qemu-3"),
            (String(repeating: "x", count: 80), "qemu-3-" + String(repeating: "x", count: 57)),
        ])
    func names(_ name: String, _ machine: String) {
        #expect(GuestCgroup.machine(id: 3, name: name) == machine)
    }

    @Test(
        "partitions are groups of their own",
        arguments: [
            ("/machine", "/machine"), ("/machine/web", "/machine/web.partition"),
            ("/web/one.slice", "/web.partition/one.slice"), ("/", "/"), ("/machine/cpu.x", "/machine/_cpu.x"),
        ])
    func partitions(_ partition: String, _ path: String) {
        #expect(GuestCgroup.path(ofPartition: partition) == path)
    }

    @Test(
        "only a group that is a guest's own is found again",
        arguments: [
            ("/machine/qemu-3-web.libvirt-qemu/emulator", "/machine/qemu-3-web.libvirt-qemu"),
            (
                "/machine.slice/machine-qemu\\x2d3\\x2dweb.scope/libvirt/emulator",
                "/machine.slice/machine-qemu\\x2d3\\x2dweb.scope/libvirt"
            ),
            ("/machine.slice/machine-qemu\\x2d3\\x2dweb.scope", "/machine.slice/machine-qemu\\x2d3\\x2dweb.scope"),
            ("/user.slice/user-0.slice/session-1.scope", nil), ("/machine/qemu-4-web.libvirt-qemu/emulator", nil),
            ("/system.slice/virtqemud.service", nil), ("/", nil),
        ] as [(String, String?)])
    func found(_ path: String, _ expected: String?) {
        let hierarchy = CgroupHierarchy(mountinfo: "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n") { _ in "cpu"
        }
        #expect(GuestCgroup(hierarchy, process: "0::\(path)\n", id: 3, name: "web")?.group.path == expected)
    }

    @Test("a relative partition is refused")
    func relative() {
        let hierarchy = CgroupHierarchy(mountinfo: "") { _ in nil }
        let error = #expect(throws: VirtError.self) {
            _ = try GuestCgroup(hierarchy, partition: "machine", id: 1, name: "web")
        }
        #expect(error?.code == .configUnsupported)
    }

    @Test("scheduler parameters are checked for their type and range")
    func scheduler() throws {
        #expect(try SchedulerParameter(TypedParameter("vcpu_quota", .llong(-1))) == .vcpuQuota)
        for wrong in [
            TypedParameter("vcpu_quota", .ullong(5000)), TypedParameter("vcpu_period", .ullong(10)),
            TypedParameter("emulator_quota", .llong(.max)), TypedParameter("nosuch", .ullong(1)),
        ] {
            #expect(throws: VirtError.self) { _ = try SchedulerParameter(wrong) }
        }
        var tuning = CPUTuning()
        SchedulerParameter.vcpuQuota.set(.llong(5000), in: &tuning)
        #expect(tuning.quota == 5000)
        #expect(SchedulerParameter.vcpuQuota.value(in: tuning) == TypedParameter("vcpu_quota", .llong(5000)))
    }

    @Test("device limits travel as pairs")
    func devices() throws {
        var tuning = BlockIOTuning()
        let text = TypedParameter("device_read_iops_sec", .string("/dev/sda,10,/dev/sdb,0"))
        try BlockIOParameter.Change(text).apply(to: &tuning)
        #expect(tuning.devices.map(\.path) == ["/dev/sda"])
        #expect(tuning.devices.first?.readIOPS == 10)
        for wrong in ["/dev/sda", "/dev/sda,x", "/dev/sda,4294967296", ","] {
            #expect(throws: VirtError.self) {
                _ = try BlockIOParameter.Change(TypedParameter("device_write_iops_sec", .string(wrong)))
            }
        }
    }
}
