import Glibc
import Testing
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

@testable import StorageDriver

@Suite("Pools")
struct PoolLifecycleTests {
    @Test("A pool goes from its definition to its end, and its files with it")
    func lifecycle() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        #expect(pool.snapshot.isActive)
        #expect(pool.snapshot.definition.capacity > 0)
        #expect(pool.snapshot.definition.permissions.mode == 0o711)
        let stored = String(decoding: try FileSystem.read(bench.files.definitions.directory + "/p.xml"), as: UTF8.self)
        #expect(stored.contains("virsh pool-edit p"))
        #expect(stored.contains("<capacity unit='bytes'>0</capacity>"))
        #expect(FileSystem.exists(bench.files.stateDirectory + "/p.xml"))
        try await bench.driver.stop(pool)
        #expect(!FileSystem.exists(bench.files.stateDirectory + "/p.xml"))
        try await bench.driver.delete(pool, flags: 0)
        #expect(!FileSystem.exists(bench.place))
        try await bench.driver.undefine(pool)
        #expect(!FileSystem.exists(bench.files.definitions.directory + "/p.xml"))
        #expect(bench.driver.registry.all.isEmpty)
    }

    @Test("A pool whose directory is missing does not start and leaves no state")
    func startFails() async throws {
        let bench = try Bench()
        let pool = try await bench.driver.define(bench.xml(), flags: 0)
        let error = await message { try await bench.driver.start(pool, flags: 0) }
        #expect(error == "cannot open directory '\(bench.place)': No such file or directory")
        #expect(!pool.snapshot.isActive)
        #expect(!FileSystem.exists(bench.files.stateDirectory + "/p.xml"))
    }

    @Test("A start whose state cannot be kept is taken back")
    func stateFails() async throws {
        let bench = try Bench()
        let pool = try await bench.driver.define(bench.xml(), flags: 0)
        try await bench.driver.build(pool, flags: 0)
        // A file where the directory should be.
        try FileSystem.makeDirectories(FileSystem.directory(of: bench.files.stateDirectory))
        try FileSystem.atomicWrite(bench.files.stateDirectory, [])
        #expect(await message { try await bench.driver.start(pool, flags: 0) } != nil)
        #expect(!pool.snapshot.isActive)
        #expect(pool.snapshot.volumes.isEmpty)
    }

    @Test("Only the state that a change needs is accepted")
    func wrongState() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        let prefix = "Requested operation is not valid: storage pool 'p' is "
        #expect(await message { try await bench.driver.start(pool, flags: 0) } == prefix + "already active")
        #expect(await message { try await bench.driver.build(pool, flags: 0) } == prefix + "already active")
        #expect(await message { try await bench.driver.undefine(pool) } == prefix + "still active")
        #expect(await message { try await bench.driver.delete(pool, flags: 0) } == prefix + "still active")
        try await bench.driver.stop(pool)
        #expect(await message { try await bench.driver.stop(pool) } == prefix + "not active")
        #expect(await message { try await bench.driver.refresh(pool) } == prefix + "not active")
    }

    @Test("Names, UUIDs and directories belong to one pool")
    func duplicates() async throws {
        let bench = try Bench()
        let uuid = "11111111-1111-1111-1111-111111111111"
        _ = try await bench.driver.define(bench.xml(uuid: uuid), flags: 0)
        #expect(
            await message { _ = try await bench.driver.define(bench.xml(), flags: 0) }
                == "operation failed: pool 'p' already exists with uuid \(uuid)")
        #expect(
            await message { _ = try await bench.driver.define(bench.xml("q"), flags: 0) }
                == "operation failed: Storage source conflict with pool: 'p'")
        #expect(
            await message { _ = try await bench.driver.define(bench.xml("q", target: "/x", uuid: uuid), flags: 0) }
                == "operation failed: pool 'p' is already defined with uuid \(uuid)")
    }

    @Test("A new definition of an active pool takes effect when it stops")
    func redefinition() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        let changed = bench.xml(target: "/elsewhere", uuid: pool.uuid.description)
        _ = try await bench.driver.define(changed, flags: 0)
        #expect(pool.snapshot.definition.targetPath == bench.place)
        #expect(pool.snapshot.persistentDefinition.targetPath == "/elsewhere")
        try await bench.driver.stop(pool)
        #expect(pool.snapshot.definition.targetPath == "/elsewhere")
    }

    @Test("A pool that was only started is forgotten when it stops")
    func transient() async throws {
        let bench = try Bench()
        _ = try bench.scratch.makeDirectory("p")
        let pool = try await bench.driver.create(bench.xml(), flags: 0)
        #expect(!pool.snapshot.isPersistent)
        #expect(
            await message { try await bench.driver.setAutostart(pool, true) }
                == "internal error: pool has no config file")
        try await bench.driver.stop(pool)
        #expect(bench.driver.registry.all.isEmpty)
        #expect(
            await message { _ = try await bench.driver.create(bench.xml("q", target: "/nowhere/q"), flags: 0) } != nil)
        #expect(bench.driver.registry.all.isEmpty)
    }

    @Test("Types without a backend are refused, those without an engine only defined")
    func types() async throws {
        let bench = try Bench()
        let rbd = "<pool type='rbd'><name>r</name><source><host name='h'/><name>x</name></source></pool>"
        #expect(
            await message { _ = try await bench.driver.define(rbd, flags: 0) }
                == "internal error: missing backend for pool type 9 (rbd)")
        let scsi = """
            <pool type='scsi'><name>s</name><source><adapter name='host0'/></source>
            <target><path>/dev/disk</path></target></pool>
            """
        let pool = try await bench.driver.define(scsi, flags: 0)
        let text = await message { try await bench.driver.start(pool, flags: 0) }
        #expect(text?.hasPrefix("this function is not supported by the connection driver: ") == true)
        #expect(!pool.snapshot.isActive)
    }

    @Test("A daemon that comes after another takes over its pools, and starts those of the boot once")
    func takeOver() async throws {
        let bench = try Bench()
        let pool = try await bench.startedPool()
        _ = try await bench.driver.createVolume(pool, Bench.volume("v", 4096), flags: 0)
        try await bench.driver.setAutostart(pool, true)

        let second = Bench.driver(bench.files, bench.tools)
        try await second.load()
        let found = try second.registry.lookUp(name: "p")
        #expect(found.snapshot.isActive)
        #expect(found.snapshot.isAutostart)
        #expect(found.snapshot.volumes.keys.sorted() == ["v"])
        try await second.stop(found)

        // The mark of this boot is set: it is not started again.
        let third = Bench.driver(bench.files, bench.tools)
        try await third.load()
        #expect(try !third.registry.lookUp(name: "p").snapshot.isActive)
        // SIGHUP starts it.
        await third.reload()
        #expect(try third.registry.lookUp(name: "p").snapshot.isActive)
    }

    @Test("A pool whose directory went away is inactive after a restart; broken files stay where they are")
    func brokenFiles() async throws {
        let bench = try Bench()
        _ = try await bench.startedPool()
        try FileSystem.removeTree(bench.place)
        try FileSystem.atomicWrite(bench.files.definitions.directory + "/junk.xml", Array("<junk".utf8))
        try FileSystem.atomicWrite(
            bench.files.definitions.directory + "/other.xml", Array(bench.xml("x", target: "/x").utf8))
        let second = Bench.driver(bench.files, bench.tools)
        try await second.load()
        #expect(second.registry.all.map { $0.name } == ["p"])
        #expect(try !second.registry.lookUp(name: "p").snapshot.isActive)
        #expect(FileSystem.exists(bench.files.definitions.directory + "/junk.xml"))
    }

    @Test("A mounted pool is mounted with libvirt's arguments")
    func mountArguments() throws {
        func parse(_ inner: String, _ type: String) throws -> StoragePool {
            let text =
                "<pool type='\(type)'><name>p</name><source>\(inner)</source><target><path>/t</path></target></pool>"
            return try StoragePool.parse(Array(text.utf8))
        }
        let device = try parse("<device path='/dev/x'/><format type='ext4'/>", "fs")
        #expect(
            try StorageMount.device.arguments(device) == ["-o", "nodev,nosuid,noexec", "-t", "ext4", "/dev/x", "/t"])
        let network = try parse("<host name='h'/><dir path='/x'/><format type='nfs'/><protocol ver='3'/>", "netfs")
        #expect(
            try StorageMount.network.arguments(network)
                == ["-o", "nodev,nosuid,noexec,nfsvers=3", "-t", "nfs", "h:/x", "/t"])
        let share = try parse("<host name='h'/><dir path='/x'/><format type='cifs'/>", "netfs")
        #expect(
            try StorageMount.network.arguments(share)
                == ["-o", "nodev,nosuid,noexec,guest", "-t", "cifs", "//h/x", "/t"])
        #expect(StorageMount.unescaped("/a\\040b") == "/a b")
    }
}
