import Testing
import VirtCore
import VirtModel
import VirtXML

@Suite("Completing domains")
struct DomainCompletionTests {
    @Test("a guest of nothing but a machine gets what libvirt gives it")
    func minimal() throws {
        let domain = try DomainFixture.complete(machine: "pc", "")
        #expect(domain.os.machine == "pc-i440fx-7.2")
        #expect(domain.devices.emulator == "/usr/bin/qemu-system-x86_64")
        #expect(domain.currentMemory == 524288)
        #expect(domain.vcpu.placement == .static)
        #expect(domain.os.bootDevices == [.hd])
        #expect(domain.cpu?.model?.name == "qemu64")
        #expect(domain.devices.controllers.map(\.type) == [.usb, .pci])
        #expect(domain.devices.controllers.first?.model == .piix3UHCI)
        #expect(DomainFixture.place(domain.devices.controllers.first?.info) == "0000:00:01.2")
        #expect(domain.devices.inputs.map(\.type) == [.mouse, .keyboard])
        #expect(DomainFixture.place(domain.devices.memballoon?.info) == "0000:00:02.0")
        #expect(domain.devices.audios.map(\.type) == [Audio.Kind.none])
        #expect(domain.onCrash == .destroy)
    }

    @Test("completing a complete domain changes nothing")
    func idempotent() throws {
        let first = try DomainFixture.complete(
            """
            <disk type='file'><source file='/a'/><target dev='vda'/></disk>
            <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>
            <interface type='user'/><console type='pty'/><channel type='unix'><target type='virtio' name='x'/></channel>
            <input type='tablet' bus='usb'/><graphics type='vnc'/><sound model='ich9'/>
            """)
        // Controllers that were added are sorted among the others when they are read, as libvirt does.
        var second = try Domain.parse(try first.format([.inactive, .secure]))
        try second.complete(DomainFixture.context)
        var third = try Domain.parse(try second.format([.inactive, .secure]))
        try third.complete(DomainFixture.context)
        #expect(third == second)
        #expect(second.devices.controllers.count == first.devices.controllers.count)
        #expect(second.devices.disks == first.devices.disks)
    }

    @Test("each PCI Express device gets a root port, and one is left for later")
    func rootPorts() throws {
        let domain = try DomainFixture.complete(
            "<disk type='file'><source file='/a'/><target dev='vda'/></disk><interface type='user'><model "
                + "type='virtio'/></interface>"
        )
        let ports = domain.devices.controllers.filter { $0.model == .pcieRootPort }
        #expect(ports.map(\.index) == [1, 2, 3, 4, 5])
        #expect(ports.compactMap { DomainFixture.place($0.info) }.first == "0000:00:01.0")
        #expect(ports.first?.info.address?.pci?.multifunction == true)
        #expect(ports.map { $0.target?.port } == [8, 9, 10, 11, 12])
        #expect(DomainFixture.place(domain.devices.interfaces.first?.info) == "0000:01:00.0")
        #expect(DomainFixture.place(domain.devices.disks.first?.info) == "0000:03:00.0")
        #expect(DomainFixture.place(domain.devices.memballoon?.info) == "0000:04:00.0")
    }

    @Test("an old PCI device in a PCI Express machine gets a bridge")
    func bridge() throws {
        let domain = try DomainFixture.complete("<watchdog model='i6300esb'/>")
        let bridge = try #require(domain.devices.controllers.first { $0.model == .pcieToPCIBridge })
        #expect(bridge.modelName == "pcie-pci-bridge")
        let watchdog = try #require(domain.devices.watchdogs.first?.info.address?.pci)
        #expect(watchdog.bus == bridge.index)
        #expect(watchdog.slot == 1)
    }

    @Test("a full bus gets a bridge with the same slots")
    func manyDevices() throws {
        let disks = (0..<40).map { index in
            "<disk type='file'><source file='/\(index)'/><target dev='vd\(Self.letters(index))' bus='virtio'/></disk>"
        }
        let domain = try DomainFixture.complete(machine: "pc", disks.joined())
        #expect(domain.devices.controllers.contains { $0.type == .pci && $0.model == .pciBridge && $0.index == 1 })
        let places = domain.devices.disks.compactMap { DomainFixture.place($0.info) }
        #expect(Set(places).count == 40)
        #expect(places.contains { $0.hasPrefix("0000:01:") })
    }

    private static func letters(_ index: Int) -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz")
        return index < 26 ? String(alphabet[index]) : String(alphabet[index / 26 - 1]) + String(alphabet[index % 26])
    }

    @Test(
        "drives are placed by the letters of their names",
        arguments: [
            ("hdc", "ide", "pc", DriveAddress(controller: 0, bus: 1, unit: 0)),
            ("sdh", "sata", "q35", DriveAddress(controller: 1, unit: 1)),
            ("sdi", "scsi", "q35", DriveAddress(controller: 1, unit: 1)),
            ("fdb", "fdc", "pc", DriveAddress(controller: 0, unit: 1)),
        ])
    func drives(name: String, bus: String, machine: String, expected: DriveAddress) throws {
        let domain = try DomainFixture.complete(
            machine: machine, "<disk type='file'><source file='/a'/><target dev='\(name)' bus='\(bus)'/></disk>")
        #expect(domain.devices.disks.first?.info.address == .drive(expected))
        let kind = Controller.Kind(rawValue: bus)
        #expect(domain.devices.controllers.filter { $0.type == kind }.count >= Int(expected.controller) + 1)
    }

    @Test("the first serial port and the first console are the same device")
    func consoles() throws {
        let fromConsole = try DomainFixture.complete("<console type='pty'/>")
        #expect(fromConsole.devices.serials.map(\.target) == [.isa])
        #expect(fromConsole.devices.consoles.map(\.target) == [.serial])
        let fromSerial = try DomainFixture.complete("<serial type='file'><source path='/log'/></serial>")
        #expect(fromSerial.devices.consoles.first?.source.path == "/log")
    }

    @Test("USB devices get ports, and hubs when there are not enough")
    func usb() throws {
        let inputs = String(repeating: "<input type='tablet' bus='usb'/>", count: 6)
        let domain = try DomainFixture.complete(machine: "pc", inputs)
        #expect(domain.devices.hubs.count == 1)
        let ports = domain.devices.inputs.filter { $0.bus == .usb }.compactMap { input -> String? in
            if case .usb(let address) = input.info.address { return address.port }
            return nil
        }
        #expect(ports == ["2", "1.1", "1.2", "1.3", "1.4", "1.5"])
    }

    @Test("channels get ports of a virtio-serial controller from 1")
    func channels() throws {
        let channel = "<channel type='spicevmc'><target type='virtio' name='a'/></channel>"
        let domain = try DomainFixture.complete(channel + channel)
        let ports = domain.devices.channels.map(\.info.address)
        #expect(
            ports == [
                .virtioSerial(VirtioSerialAddress(controller: 0, port: 1)),
                .virtioSerial(VirtioSerialAddress(controller: 0, port: 2)),
            ])
        #expect(domain.devices.controllers.contains { $0.type == .virtioSerial })
    }

    @Test("an ARM guest has PCI Express, no USB and no input devices of its own")
    func arm() throws {
        let domain = try DomainFixture.complete(
            machine: "virt", arch: "aarch64", "<disk type='file'><source file='/a'/><target dev='vda'/></disk>")
        #expect(domain.os.machine == "virt-7.2")
        #expect(domain.devices.inputs.isEmpty)
        #expect(!domain.devices.controllers.contains { $0.type == .usb })
        #expect(domain.features.gic?.version == .v2)
        #expect(DomainFixture.place(domain.devices.disks.first?.info) == "0000:01:00.0")
    }

    @Test("paths that libvirt made up are no part of a definition")
    func channelPaths() throws {
        func channel(_ path: String) -> String {
            "<channel type='unix'><source mode='bind' path='\(path)'/><target type='virtio' name='agent'/></channel>"
        }
        let domain = try DomainFixture.complete(
            channel("/var/lib/libvirt/qemu/channel/target/guest.agent") + channel("/srv/domain-1-guest/agent")
                + channel("/srv/own/agent"))
        #expect(domain.devices.channels.map(\.source.path) == [nil, nil, "/srv/own/agent"])
    }
}
