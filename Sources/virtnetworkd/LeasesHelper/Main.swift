import Glibc
import NetworkLeases

/// dnsmasq's `--dhcp-script`: keeps the lease file of a bridge. Files are C libvirt's, locks too, so that either helper
/// may run.
///
/// VIRT_LEASES_ROOT is put in front of all paths; the daemon sets it when it runs under a directory of its own.
@main
struct LeasesHelper {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "--version" {
            print("virtleaseshelper (libvirt) 9.0.0")
            return
        }
        do {
            try run(arguments)
        } catch let misuse as LeaseScript.Misuse {
            stop(misuse.text)
        } catch let failure as Failure {
            stop(unsafe "\(failure.text): \(String(cString: strerror(failure.code)))")
        } catch {
            stop("\(error)")
        }
    }

    struct Failure: Error {
        let text: String
        let code: Int32
    }

    private static func stop(_ text: String) -> Never {
        put("virtleaseshelper: \(text)\n", to: STDERR_FILENO)
        exit(1)
    }

    /// Writes all of a text, as far as the other end takes it.
    private static func put(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    private static func environment() -> [String: String] {
        let names = [
            "DNSMASQ_INTERFACE", "VIR_BRIDGE_NAME", "DNSMASQ_SERVER_DUID", "DNSMASQ_IAID", "DNSMASQ_MAC",
            "DNSMASQ_SUPPLIED_HOSTNAME", "DNSMASQ_OLD_HOSTNAME", "DNSMASQ_CLIENT_ID", "DNSMASQ_LEASE_EXPIRES",
        ]
        var result: [String: String] = [:]
        for name in names {
            if let value = unsafe getenv(name) { result[name] = unsafe String(cString: value) }
        }
        return result
    }

    private static func run(_ arguments: [String]) throws {
        let script = try LeaseScript(arguments: arguments, environment: environment())
        let root = unsafe getenv("VIRT_LEASES_ROOT").map { unsafe String(cString: $0) } ?? ""
        let path = "\(root)/var/lib/libvirt/dnsmasq/\(script.interface).status"
        let lock = try lock("\(root)/run/leaseshelper.pid")
        defer { close(lock) }
        let leases = (try? LeaseFile.parse(try read(path))) ?? []
        let outcome = script.run(on: leases)
        if let kept = outcome.leases { try rewrite(path, LeaseFile.text(kept)) }
        put(outcome.output, to: STDOUT_FILENO)
        unsafe unlink("\(root)/run/leaseshelper.pid")
    }

    /// Waits for the file's lock, and takes the file that then has the name: the one before may have been removed.
    private static func lock(_ path: String) throws -> Int32 {
        while true {
            let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw Failure(text: "Unable to acquire PID file \(path)", code: errno) }
            var region = flock()
            region.l_type = Int16(F_WRLCK)
            region.l_whence = Int16(SEEK_SET)
            region.l_len = 1
            guard unsafe fcntl(descriptor, F_SETLKW, &region) == 0 else {
                let code = errno
                close(descriptor)
                throw Failure(text: "Unable to acquire PID file \(path)", code: code)
            }
            var ours = stat()
            var named = stat()
            if unsafe fstat(descriptor, &ours) == 0, unsafe stat(path, &named) == 0, ours.st_ino == named.st_ino {
                let text = "\(getpid())"
                ftruncate(descriptor, 0)
                _ = unsafe text.withCString { unsafe write(descriptor, $0, strlen($0)) }
                return descriptor
            }
            close(descriptor)
        }
    }

    /// The file's bytes; it is made if it is missing.
    private static func read(_ path: String) throws -> [UInt8] {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure(text: "Unable to create \(path)", code: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= LeaseFile.largestSize {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw Failure(text: "Unable to read \(path)", code: errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw Failure(text: "Unable to read \(path)", code: EFBIG)
    }

    /// Replaces the file in one step.
    private static func rewrite(_ path: String, _ text: String) throws {
        let temporary = path + ".new"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure(text: "Unable to create \(temporary)", code: errno) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else {
                let code = errno
                close(descriptor)
                unsafe unlink(temporary)
                throw Failure(text: "Unable to write \(temporary)", code: code)
            }
            rest = rest.dropFirst(count)
        }
        fsync(descriptor)
        close(descriptor)
        guard unsafe rename(temporary, path) == 0 else {
            throw Failure(text: "Unable to rename \(temporary)", code: errno)
        }
    }
}
