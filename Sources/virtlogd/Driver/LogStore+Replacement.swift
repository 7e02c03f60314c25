import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

extension LogStore {
    /// Leaves the pipes, with what is in them, to the next program.
    func remains() throws(VirtError) -> DriverRemains {
        isSuspended = true
        var files: [JSONValue] = []
        var descriptors: [Int32] = []
        for open in logs.values.sorted(by: { $0.facts.path < $1.facts.path }) {
            open.watch?.cancel()
            // C's virtlogd takes a read that would block for the end of a guest.
            try open.pipe.descriptor.setNonBlocking(false)
            files.append(.object(open.facts.document(pipe: open.pipe.rawValue, isStored: notify.isActive)))
            descriptors.append(open.pipe.rawValue)
        }
        return DriverRemains(document: ["handler": ["files": .array(files)]], descriptors: descriptors)
    }

    /// The next program could not be started.
    func goOn() {
        isSuspended = false
        for (path, open) in logs {
            do throws(VirtError) {
                try open.pipe.descriptor.setNonBlocking(true)
                logs[path]?.watch = try watch(open)
            } catch {
                log.error("log '\(path)' of domain '\(open.facts.domain.name)' is lost: \(error.message)")
            }
        }
    }

    /// Takes up what the program before left. What makes no sense costs only itself.
    func takeUp(_ remains: JSONObject) {
        do throws(VirtError) {
            for file in try remains.requiredObject("handler").requiredObjects("files") { takeUpFile(file) }
        } catch {
            log.error("logs of the program before cannot be taken up: \(error.message)")
        }
    }

    private func takeUpFile(_ file: JSONObject) {
        do throws(VirtError) {
            let pipe = try InheritedDescriptor.claim(try file.required("pipefd"), .pipe)
            let facts = try StoredLog(file, number: try StoredLog.number(of: pipe))
            // C's virtlogd has nothing with systemd; what an earlier program of ours left there has the same names.
            if notify.isActive, file["stored"]?.bool != true {
                facts.forgetFacts(notify)
                try facts.keep(pipe, notify)
            }
            takeUp(facts, pipe)
        } catch {
            log.error("log '\(file["path"]?.string ?? "?")' cannot be taken up: \(error.message)")
        }
    }
}
