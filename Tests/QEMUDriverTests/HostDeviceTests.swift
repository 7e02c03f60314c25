import Glibc
import Testing
import VirtCore
import VirtModel
import VirtOS

@testable import QEMUDriver

/// A sysfs of plain files: what would be told to the kernel can be read there.
private final class FakeSysfs {
    let root: String
    private static let device = "0000:0a:1f.0"
    var device: String { "\(root)/bus/pci/devices/\(Self.device)" }

    init() throws {
        root = "/tmp/sysfs-\(UUID.random())"
        for path in ["config", "driver_override"] { try put("bus/pci/devices/\(Self.device)/\(path)", "") }
        for driver in ["vfio-pci", "e1000e"] { try put("bus/pci/drivers/\(driver)/unbind", "") }
        try put("bus/pci/drivers_probe", "")
    }

    deinit { try? FileSystem.removeTree(root) }

    func put(_ path: String, _ text: String) throws {
        try FileSystem.makeDirectories(FileSystem.directory(of: "\(root)/\(path)"))
        try FileSystem.atomicWrite("\(root)/\(path)", Array(text.utf8), mode: 0o600)
    }

    func bind(_ driver: String) throws {
        try FileSystem.makeLink("\(device)/driver", to: "\(root)/bus/pci/drivers/\(driver)")
    }

    func text(_ path: String) throws -> String {
        String(decoding: try FileSystem.read("\(root)/\(path)"), as: UTF8.self)
    }
}

@Suite struct PCIAssignmentTests {
    private let address = "0000:0a:1f.0"

    @Test func `a device goes to the guests' driver, and back when that does not want it`() throws {
        let sysfs = try FakeSysfs()
        try sysfs.bind("e1000e")
        // These files bind nothing: the device stays where it is.
        let error = #expect(throws: VirtError.self) { try PCIAssignment(sysfs: sysfs.root).detach(address) }
        #expect(error?.message.contains("Failed to bind PCI device '0000:0a:1f.0' to driver 'vfio-pci'") == true)
        #expect(try sysfs.text("bus/pci/drivers/e1000e/unbind") == address)
        #expect(try sysfs.text("bus/pci/drivers_probe") == address)
        // The override was taken back: the first byte of it is the end of a line.
        #expect(try sysfs.text("bus/pci/devices/\(address)/driver_override").hasPrefix("\n"))
    }

    @Test func `a device of the guests' driver is left there, and given back`() throws {
        let sysfs = try FakeSysfs()
        try sysfs.bind("vfio-pci")
        let assignment = PCIAssignment(sysfs: sysfs.root)
        #expect(try assignment.detach(address) == false)
        #expect(try sysfs.text("bus/pci/drivers_probe").isEmpty)
        try assignment.reattach(address)
        #expect(try sysfs.text("bus/pci/drivers/vfio-pci/unbind") == address)
        #expect(try sysfs.text("bus/pci/drivers_probe") == address)
    }

    /// A modprobe that does what the script says.
    private func loader(_ script: String, in sysfs: FakeSysfs) throws -> KernelModule {
        let path = "\(sysfs.root)/modprobe"
        try FileSystem.atomicWrite(path, Array("#!/bin/sh\n\(script)\n".utf8), mode: 0o700)
        return KernelModule(name: "vfio-pci", loader: path)
    }

    @Test func `the guests' driver is loaded where it is missing`() async throws {
        let sysfs = try FakeSysfs()
        let drivers = "\(sysfs.root)/bus/pci/drivers"
        try FileSystem.removeTree("\(drivers)/vfio-pci")
        let module = try loader(#"[ "$*" = "-b vfio-pci" ] && mkdir "\#(drivers)/vfio-pci""#, in: sysfs)
        try await PCIAssignment(sysfs: sysfs.root).requireGuestDriver(module)
        #expect(FileSystem.isDirectory("\(drivers)/vfio-pci"))
        // It is there now: nothing is loaded.
        try await PCIAssignment(sysfs: sysfs.root).requireGuestDriver(KernelModule(name: "none", loader: "/none"))
    }

    @Test(arguments: [
        ("exit 1", ""), (#"[ "$1" != -c ] || echo "blacklist vfio_pci_core""#, ""),
        (#"[ "$1" != -c ] || echo "blacklist vfio_pci""#, ": administratively prohibited"),
    ])
    func `a driver that cannot be loaded is an error that says why`(script: String, reason: String) async throws {
        let sysfs = try FakeSysfs()
        try FileSystem.removeTree("\(sysfs.root)/bus/pci/drivers/vfio-pci")
        let module = try loader(script, in: sysfs)
        let error = await #expect(throws: VirtError.self) {
            try await PCIAssignment(sysfs: sysfs.root).requireGuestDriver(module)
        }
        #expect(error?.message == "internal error: Failed to load PCI stub module vfio-pci\(reason)")
    }

    @Test func `a device that is not there`() throws {
        let error = #expect(throws: VirtError.self) { try PCIAssignment(sysfs: "/nonexistent").detach(address) }
        #expect(
            error?.message == "Device 0000:0a:1f.0 not found: could not access "
                + "/nonexistent/bus/pci/devices/0000:0a:1f.0/config: No such file or directory")
    }

    @Test func `QEMU opens the groups and nodes of its devices, each once`() throws {
        let sysfs = try FakeSysfs()
        try FileSystem.makeLink("\(sysfs.device)/iommu_group", to: "../../../kernel/iommu_groups/7")
        try sysfs.put("bus/scsi/devices/9:0:0:1/scsi_generic/sg3/dev", "")
        let domain = try Domain.parse(
            """
            <domain type='qemu'><name>web</name><memory>1024</memory><os><type>hvm</type></os><devices>
            <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='10' slot='31' function='0'/>
            </source></hostdev>
            <interface type='hostdev'><source><address type='pci' domain='0' bus='10' slot='31' function='0'/></source>
            </interface>
            <hostdev mode='subsystem' type='usb'><source><address bus='1' device='12'/></source></hostdev>
            <hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host9'/>
            <address bus='0' target='0' unit='1'/></source></hostdev></devices></domain>
            """)
        #expect(
            domain.hostDeviceNodes(PCIAssignment(sysfs: sysfs.root)) == [
                "/dev/vfio/7", "/dev/bus/usb/001/012", "/dev/sg3",
            ]
        )
        #expect(domain.assignedPCI.map(\.isManaged).sorted { $0 && !$1 } == [true, false])
        #expect(domain.lockedMemoryLimit == (1024 + (1 << 20)) * 1024)
    }
}

@Suite struct USBDevicesTests {
    private func source(_ text: String) throws -> HostdevSource {
        let domain = try Domain.parse(
            """
            <domain type='qemu'><name>web</name><memory>1</memory><os><type>hvm</type></os><devices>
            <hostdev mode='subsystem' type='usb'>\(text)</hostdev></devices></domain>
            """)
        return try #require(domain.devices.hostdevs.first).source
    }

    private func devices() throws -> (USBDevices, FakeSysfs) {
        let sysfs = try FakeSysfs()
        for (name, vendor, product, number) in [
            ("usb1", "1d6b", "0002", "1"), ("1-1", "0951", "1666", "4"), ("2-1.3", "0951", "1666", "9"),
            ("1-2", "046d", "c52b", "5"),
        ] {
            for (file, text) in [("idVendor", vendor), ("idProduct", product), ("devnum", number)] {
                try sysfs.put("usb/\(name)/\(file)", text + "\n")
            }
        }
        try sysfs.put("usb/1-2:1.0/bInterfaceClass", "03")
        return (try USBDevices.read(sysfs.root + "/usb"), sysfs)
    }

    @Test func `a device is found by what it is, or where it is`() throws {
        let (devices, sysfs) = try devices()
        #expect(devices.all.count == 4)
        let mouse = try devices.find(source("<source><vendor id='0x046d'/><product id='0xc52b'/></source>"))
        #expect(mouse == .init(vendor: 0x46d, product: 0xc52b, bus: 1, number: 5))
        let second = "<source><vendor id='0x0951'/><product id='0x1666'/><address bus='2' device='9'/></source>"
        #expect(try devices.find(source(second))?.number == 9)
        #expect(try devices.find(source("<source><address bus='1' device='1'/></source>"))?.vendor == 0x1d6b)
        withExtendedLifetime(sysfs) {}
    }

    @Test(arguments: [
        (
            "<source><vendor id='0x0951'/><product id='0x1666'/></source>", VirtError.Code.operationFailed,
            "Multiple USB devices for 951:1666, use <address> to specify one"
        ),
        (
            "<source><vendor id='0x1'/><product id='0xabcd'/></source>", .internalError,
            "Did not find USB device 0001:abcd"
        ),
        ("<source><address bus='3' device='7'/></source>", .internalError, "Did not find USB device bus:3 device:7"),
    ])
    func `a device that is not there, or not the only one`(text: String, code: VirtError.Code, message: String) throws {
        let (devices, sysfs) = try devices()
        let error = #expect(throws: VirtError.self) { _ = try devices.find(source(text)) }
        #expect(error?.code == code)
        #expect(error?.message.hasSuffix(message) == true)
        withExtendedLifetime(sysfs) {}
    }

    @Test func `an optional device may be missing`() throws {
        let (devices, sysfs) = try devices()
        let text = "<source startupPolicy='optional'><vendor id='0x1'/><product id='0x2'/></source>"
        #expect(try devices.find(source(text)) == nil)
        withExtendedLifetime(sysfs) {}
    }
}

@Suite struct HostDeviceClaimsTests {
    @Test func `a device has one guest at a time`() throws {
        let claims = HostDeviceClaims()
        let device = HostDeviceClaims.Device.usb(bus: 1, number: 12)
        try claims.claim(device, for: "web")
        try claims.claim(device, for: "web")
        let error = #expect(throws: VirtError.self) { try claims.claim(device, for: "db") }
        #expect(error?.message.hasSuffix("USB device 001:014 is in use by driver QEMU, domain web") == true)
        #expect(!claims.release(device, of: "db"))
        #expect(claims.release(device, of: "web"))
        try claims.claim(device, for: "db")
        claims.keepDriver(device)
        #expect(!claims.release(device, of: "db"))
    }
}

@Suite struct VhostDeviceTests {
    @Test func `a host without the kernel's SCSI target says so`() throws {
        let error = #expect(throws: VirtError.self) { _ = try VhostDevice.openSCSI("/nonexistent/vhost-scsi") }
        #expect(error?.code == .configUnsupported)
        #expect(error?.message.hasSuffix("vhost-scsi device file '/nonexistent/vhost-scsi' cannot be found") == true)
    }

    @Test func `a number is asked of the device`() throws {
        let missing = #expect(throws: VirtError.self) { _ = try VhostDevice.openVSock(cid: nil, "/nonexistent") }
        #expect(missing?.message.hasSuffix("unable to open vhost-vsock device") == true)
        // No such device: it does not know the question.
        let given = #expect(throws: VirtError.self) { _ = try VhostDevice.openVSock(cid: 7, "/dev/null") }
        #expect(given?.message.hasPrefix("unable to set guest cid") == true)
        let free = #expect(throws: VirtError.self) { _ = try VhostDevice.openVSock(cid: nil, "/dev/null") }
        #expect(free?.message.hasPrefix("unable to acquire guest cid") == true)
    }
}
