import Glibc
package import VirtCore
import VirtOS

private let log = Logger("daemon.store")

/// The persistent definitions of one kind of object: libvirt's directory of NAME.xml files and autostart links.
///
/// It knows bytes only. Everything blocks: call it through a `BlockingPool`.
package struct ObjectStore: Sendable {
    /// A definition as it lies in the directory.
    package struct Stored: Sendable, Equatable {
        package let name: String
        package let bytes: [UInt8]
        package let isAutostart: Bool
    }

    /// A file that could not be read; it stays where it is.
    package struct Failure: Sendable, Equatable {
        package let path: String
        package let error: VirtError
    }

    package let directory: String
    package let autostartDirectory: String?

    /// - Parameter directory: for example /etc/libvirt/qemu.
    /// - Parameter autostartDirectory: for example /etc/libvirt/qemu/autostart; nil for objects without autostart.
    package init(directory: String, autostartDirectory: String? = nil) {
        self.directory = directory
        self.autostartDirectory = autostartDirectory
    }

    /// All definitions, by name, and what could not be read. Other files than NAME.xml are none of its business.
    package func load() throws(VirtError) -> (objects: [Stored], failures: [Failure]) {
        var objects: [Stored] = []
        var failures: [Failure] = []
        for name in try names() {
            do throws(VirtError) {
                if let object = try load(name) { objects.append(object) }
            } catch {
                let path = "\(directory)/\(name)\(Self.suffix)"
                log.error("cannot load '\(path)': \(error.message)")
                failures.append(Failure(path: path, error: error))
            }
        }
        return (objects, failures)
    }

    /// The names of all definitions, in order.
    package func names() throws(VirtError) -> [String] {
        try FileSystem.names(in: directory).filter { $0.hasSuffix(Self.suffix) }.map {
            String($0.dropLast(Self.suffix.count))
        }
    }

    /// One definition; nil where there is a directory of that name.
    package func load(_ name: String) throws(VirtError) -> Stored? {
        let path = "\(directory)/\(name)\(Self.suffix)"
        do throws(VirtError) {
            let bytes = try FileSystem.read(path, limit: Self.largestFile)
            return Stored(name: name, bytes: bytes, isAutostart: isAutostart(name))
        } catch {
            if FileSystem.isDirectory(path) { return nil }
            throw error
        }
    }

    /// Writes a definition. After it returns the definition survives a crash; if it throws, the old one is as it was.
    package func save(_ name: String, _ bytes: [UInt8]) throws(VirtError) {
        let path = try path(of: name)
        try FileSystem.makeDirectories(directory, mode: 0o700)
        try FileSystem.atomicWrite(path, bytes, mode: 0o600)
    }

    /// Removes a definition and its autostart link. That there is none is no error.
    package func remove(_ name: String) throws(VirtError) {
        let path = try path(of: name)
        try setAutostart(name, false)
        if try FileSystem.remove(path) { try FileSystem.syncDirectory(directory) }
    }

    /// Moves a definition to a new name; its autostart link goes with it.
    package func rename(_ name: String, to newName: String, _ bytes: [UInt8]) throws(VirtError) {
        let isAutostart = isAutostart(name)
        try save(newName, bytes)
        if isAutostart { try setAutostart(newName, true) }
        try remove(name)
    }

    /// Makes or removes the autostart link, whose target is the definition's absolute path.
    package func setAutostart(_ name: String, _ isOn: Bool) throws(VirtError) {
        guard let autostartDirectory else { return }
        let target = try path(of: name)
        let link = "\(autostartDirectory)/\(name)\(Self.suffix)"
        if isOn {
            try FileSystem.makeDirectories(autostartDirectory, mode: 0o755)
            try FileSystem.makeLink(link, to: target)
            try FileSystem.syncDirectory(autostartDirectory)
        } else if try FileSystem.remove(link) {
            try FileSystem.syncDirectory(autostartDirectory)
        }
    }

    /// Whether the autostart link leads to the definition.
    package func isAutostart(_ name: String) -> Bool {
        guard let autostartDirectory, let target = try? path(of: name) else { return false }
        var linked = stat()
        var defined = stat()
        return unsafe stat("\(autostartDirectory)/\(name)\(Self.suffix)", &linked) == 0
            && stat(target, &defined) == 0
            && linked.st_dev == defined.st_dev && linked.st_ino == defined.st_ino
    }

    /// The file of a definition. Names that would leave the directory are refused.
    package func path(of name: String) throws(VirtError) -> String {
        guard !name.isEmpty else { throw VirtError(.xmlError, .none, "name must not be empty") }
        guard !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0) else {
            throw VirtError(.xmlError, .none, "name \(name) cannot contain '/'")
        }
        return "\(directory)/\(name)\(Self.suffix)"
    }

    private static let suffix = ".xml"
    private static let largestFile = 32 << 20
}

extension ObjectStore {
    /// The comment that libvirt writes above a definition.
    ///
    /// - Parameters:
    ///   - command: the virsh command that edits the object: "edit", "net-edit", "pool-edit".
    ///   - name: the object's; nil where libvirt names none.
    package static func header(command: String, name: String?, uuid: UUID?) -> String {
        let object = name.map { isSafeInComment($0) } == true ? name : uuid?.description
        return """
            <!--
            WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
            OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
              virsh \(command)\(object.map { " " + $0 } ?? "")
            or other application using the libvirt API.
            -->


            """
    }

    /// Whether a shell takes the word as it is, and an XML comment too.
    private static func isSafeInComment(_ text: String) -> Bool {
        let special = "\r\t\n !\"#$&'()*;<>?[\\]^`{|}~"
        return !text.utf8.contains { special.utf8.contains($0) } && !text.contains("--")
    }
}
