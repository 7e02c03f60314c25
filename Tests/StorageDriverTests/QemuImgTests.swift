import Testing
import VirtCore
import VirtModel

@testable import StorageDriver

@Suite("qemu-img arguments")
struct QemuImgTests {
    private static func volume(
        _ format: StorageFileFormat, _ change: (inout StorageVolume) -> Void = { _ in }
    ) -> StorageVolume {
        var volume = StorageVolume()
        volume.name = "v"
        volume.target.path = "/p/v"
        volume.target.format = format
        volume.capacity = 16 << 20
        volume.allocation = 16 << 20
        change(&volume)
        return volume
    }

    private static func backing(_ format: StorageFileFormat) -> StorageVolume.Target {
        var backing = StorageVolume.Target()
        backing.path = "/p/base"
        backing.format = format
        return backing
    }

    private static func words(_ text: String) -> [String] { text.split(separator: " ").map { String($0) } }

    @Test("New images get libvirt's options in libvirt's order")
    func create() throws {
        #expect(
            try QemuImg.create(Self.volume(.qcow2), preallocates: false)
                == Self.words("create -f qcow2 -o compat=0.10 /p/v 16384K"))
        #expect(
            try QemuImg.create(Self.volume(.qcow2) { $0.backing = Self.backing(.qcow2) }, preallocates: false)
                == Self.words("create -f qcow2 -b /p/base -o backing_fmt=qcow2,compat=0.10 /p/v 16384K"))
        #expect(try QemuImg.create(Self.volume(.vmdk), preallocates: false) == Self.words("create -f vmdk /p/v 16384K"))
        #expect(try QemuImg.create(Self.volume(.iso), preallocates: false) == Self.words("create -f raw /p/v 16384K"))
        let rich = Self.volume(.qcow2) {
            $0.target.noCopyOnWrite = true
            $0.target.compat = "1.1"
            $0.target.clusterSize = 131072
            $0.target.features = [.lazyRefcounts]
        }
        #expect(
            try QemuImg.create(rich, preallocates: false)
                == Self.words("create -f qcow2 -o nocow=on,compat=1.1,cluster_size=131072,lazy_refcounts /p/v 16384K"))
    }

    @Test("Preallocation takes all space only if all of it is asked for")
    func preallocation() throws {
        #expect(
            try QemuImg.create(Self.volume(.qcow2), preallocates: true)
                == Self.words("create -f qcow2 -o preallocation=falloc,compat=0.10 /p/v 16384K"))
        #expect(
            try QemuImg.create(Self.volume(.qcow2) { $0.allocation = 0 }, preallocates: true)
                == Self.words("create -f qcow2 -o preallocation=metadata,compat=0.10 /p/v 16384K"))
    }

    @Test("An overlay without a capacity takes its backing's")
    func inheritedCapacity() throws {
        let overlay = Self.volume(.qcow2) {
            $0.capacity = nil
            $0.backing = Self.backing(.raw)
        }
        #expect(
            try QemuImg.create(overlay, preallocates: false)
                == Self.words("create -f qcow2 -b /p/base -o backing_fmt=raw,compat=0.10 /p/v"))
        #expect(
            try QemuImg.create(Self.volume(.qcow2) { $0.capacity = 0 }, preallocates: false)
                == Self.words("create -f qcow2 -o compat=0.10 /p/v 0K"))
    }

    @Test("LUKS volumes name the secret's file, with commas doubled")
    func luks() throws {
        let volume = Self.volume(.raw) { $0.target.encryption = StorageVolumeEncryption(.luks) }
        let secret = QemuImg.Secret(volume: "v", file: "/s,x")
        #expect(
            try QemuImg.create(volume, preallocates: false, secret: secret)
                == Self.words(
                    "create -f luks --object secret,id=v_encrypt0,file=/s,,x -o key-secret=v_encrypt0 /p/v 16384K"))
    }

    @Test("A LUKS volume is opened with its secret to change its size")
    func resizeLUKS() {
        let secret = QemuImg.Secret(volume: "v", file: "/s")
        #expect(
            QemuImg.resizeLUKS("/p/v,1", capacity: 1024, shrinks: true, secret)
                == Self.words(
                    "resize --shrink --object secret,id=v_encrypt0,file=/s --image-opts "
                        + "driver=luks,key-secret=v_encrypt0,file.filename=/p/v,,1 1024"))
    }

    @Test("A copy of or to an encrypted volume is made in two steps")
    func encryptedCopies() throws {
        let secret = QemuImg.Secret(volume: "v", file: "/s")
        let other = QemuImg.Secret(volume: "o", file: "/t")
        let plain = Self.volume(.raw) { $0.target.path = "/p/s" }
        let luks = Self.volume(.raw) {
            $0.target.path = "/p/o,1"
            $0.target.encryption = StorageVolumeEncryption(.luks)
        }
        let inside = Self.volume(.qcow2) {
            $0.target.encryption = StorageVolumeEncryption(.luks)
            $0.backing = nil
        }
        #expect(
            try QemuImg.convertEncrypted(plain, nil, into: inside, secret, preallocates: false) == [
                Self.words(
                    "create -f qcow2 --object secret,id=v_encrypt0,file=/s -o "
                        + "encrypt.format=luks,encrypt.key-secret=v_encrypt0,compat=0.10 /p/v 16384K"),
                Self.words(
                    "convert --image-opts -n --target-image-opts --object secret,id=v_encrypt0,file=/s "
                        + "driver=raw,file.filename=/p/s "
                        + "driver=qcow2,file.filename=/p/v,encrypt.key-secret=v_encrypt0"),
            ])
        #expect(
            try QemuImg.convertEncrypted(luks, other, into: Self.volume(.raw), nil, preallocates: false) == [
                Self.words("create -f raw /p/v 16384K"),
                Self.words(
                    "convert --image-opts -n --target-image-opts --object secret,id=o_encrypt0,file=/t "
                        + "driver=luks,file.filename=/p/o,,1,key-secret=o_encrypt0 driver=raw,file.filename=/p/v"),
            ])
        let old = Self.volume(.qcow2) { $0.target.encryption = StorageVolumeEncryption(.qcow) }
        #expect(throws: VirtError(.configUnsupported, .storage, "encryption format of inputvol must be LUKS")) {
            try QemuImg.convertEncrypted(old, other, into: luks, secret, preallocates: false)
        }
        #expect(throws: VirtError(.configUnsupported, .storage, "creation of qcow2 encrypted image is not supported")) {
            try QemuImg.create(old, preallocates: false, secret: secret)
        }
    }

    @Test("Copies and size changes")
    func others() throws {
        let source = Self.volume(.qcow2) { $0.target.path = "/p/s" }
        #expect(
            try QemuImg.convert(source, into: Self.volume(.qcow2), preallocates: false)
                == Self.words("convert -f qcow2 -O qcow2 -o compat=0.10 /p/s /p/v"))
        #expect(
            try QemuImg.convert(source, into: Self.volume(.raw), preallocates: false)
                == Self.words("convert -f qcow2 -O raw /p/s /p/v"))
        #expect(QemuImg.resize("/p/v", capacity: 1000, shrinks: false) == Self.words("resize /p/v 1024"))
        #expect(QemuImg.resize("/p/v", capacity: 1024, shrinks: true) == Self.words("resize --shrink /p/v 1024"))
        #expect(QemuImg.sectors(.max) == UInt64.max - 511)
    }

    static let refusals: [(String, Bool, StorageVolume)] = [
        ("metadata preallocation only available with qcow2", true, volume(.vmdk)),
        ("compatibility option only available with qcow2", false, volume(.vmdk) { $0.target.compat = "1.1" }),
        ("metadata preallocation conflicts with backing store", true, volume(.qcow2) { $0.backing = backing(.raw) }),
        (
            "lazy_refcounts not supported with compat level 0.10", false,
            volume(.qcow2) {
                $0.target.compat = "0.10"
                $0.target.features = [.lazyRefcounts]
            }
        ),
    ]

    @Test("What the format cannot do is refused", arguments: refusals)
    func refused(_ text: String, _ preallocates: Bool, _ volume: StorageVolume) {
        #expect(throws: VirtError(.configUnsupported, .storage, text)) {
            try QemuImg.create(volume, preallocates: preallocates)
        }
    }

    @Test("A copy may not name another backing image than its origin")
    func otherBacking() {
        #expect(throws: VirtError(.internalError, .storage, "a different backing store cannot be specified.")) {
            try QemuImg.convert(
                Self.volume(.qcow2), into: Self.volume(.qcow2) { $0.backing = Self.backing(.raw) }, preallocates: false)
        }
    }
}
