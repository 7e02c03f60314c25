import QEMUCommand
import QEMUCommand
import Testing
import VirtCore
import VirtModel
import VirtModel
import VirtOS

@testable import QEMUDriver

@Suite("Status files")
struct StatusFileTests {
    static func fixture() throws -> [UInt8] {
        let directory = FileSystem.directory(of: #filePath)
        return try FileSystem.read(directory + "/Fixtures/status.xml")
    }

    @Test("C libvirt's file tells the guest's process, threads, devices and paths")
    func reading() throws {
        let status = try StatusFile.parse(Self.fixture())
        #expect(status.state == .running(.booted))
        #expect(status.runtime.pid == 170)
        #expect(status.runtime.id == 1)
        #expect(status.runtime.monitorPath == "/var/lib/libvirt/qemu/domain-1-b1/monitor.sock")
        #expect(status.runtime.channelPath == "/var/lib/libvirt/qemu/channel/target/domain-1-b1")
        #expect(status.runtime.vcpus.first?.thread == 177)
        #expect(status.runtime.devices.contains("virtio-disk0"))
        #expect(status.runtime.nodeIndex == 2)
        #expect(status.runtime.flags.contains(.tcg))
        #expect(status.runtime.displayPorts == [5900])
        #expect(status.domain.devices.interfaces.first?.targetDevice == "vnet0")
        #expect(status.domain.devices.disks.first?.source.index == 2)
    }

    @Test("What is written is what C libvirt wrote, byte for byte")
    func writing() throws {
        let bytes = try Self.fixture()
        let written = try StatusFile.parse(bytes).format()
        let expected = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let found = String(decoding: written, as: UTF8.self).split(separator: "\n")
        #expect(found.count == expected.count)
        for (one, other) in zip(found, expected) { #expect(one == other) }
    }

    @Test("The files that QEMU owns follow from the definition, read-only ones without a memory of their owner")
    func ownedFiles() throws {
        let files = try StatusFile.parse(Self.fixture()).runtime.ownedFiles
        #expect(files.contains(.init(path: "/var/lib/libvirt/images/b1.qcow2", remembered: true)))
        #expect(files.contains(.init(path: "/var/lib/libvirt/images/vmlinuz", remembered: true)))
    }

    @Test("A file that is cut anywhere is refused, never worse")
    func cut() throws {
        let bytes = try Self.fixture()
        for length in stride(from: 0, to: bytes.count - 1, by: 97) {
            #expect(throws: (any Error).self) { try StatusFile.parse(Array(bytes.prefix(length))) }
        }
    }

    @Test(
        "A file without a process or with an unknown state is refused",
        arguments: [
            ("pid='170'", "pid='x'"), ("pid='170'", "pid='-4'"), ("state='running'", "state='flying'"),
            (" id='1'>", ">"),
        ])
    func wrong(text: String, replacement: String) throws {
        let file = String(decoding: try Self.fixture(), as: UTF8.self)
        let changed = file.split(separator: text, maxSplits: 1).joined(separator: replacement)
        #expect(throws: (any Error).self) { try StatusFile.parse(Array(changed.utf8)) }
    }
}
