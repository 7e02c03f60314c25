import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

/// Taking over what an earlier program or process held.
extension LockStore {
    /// How long to wait before a lock that another holds is tried again.
    private static let patience = Duration.milliseconds(100)

    func takeUp(space path: String) {
        if spaces[path] == nil { spaces[path] = LockSpace(directory: path) }
    }

    /// Takes over a lock of the space at `path`, "" for the direct one.
    func takeUp(_ resource: LockResource, in path: String) {
        if !path.isEmpty { takeUp(space: path) }
        guard var space = path.isEmpty ? direct : spaces[path], space.restore(resource) else {
            return log.error("lock '\(resource.path)' is there twice")
        }
        set(space)
        settle(resource)
    }

    /// Makes the lock this program's own.
    private func settle(_ resource: LockResource) {
        let holders = "held by \(resource.owners.map { "process \($0.pid)" }.joined(separator: ", "))"
        do throws(VirtError) {
            switch try resource.file.claim() {
            case .held: return
            case .weakened: log.warning("lock '\(resource.path)', \(holders), is shared with another for now")
            case .lost: log.error("lock '\(resource.path)', \(holders), was lost to another")
            }
        } catch {
            log.error("lock '\(resource.path)', \(holders), cannot be taken over: \(error.message)")
        }
        settleLater()
    }

    /// Takes over what an earlier process of the service left with systemd; the connections follow as clients.
    func takeUp(_ passed: [Activation.Passed]) -> [(socket: DescriptorBox, privateData: JSONObject)] {
        let found = stored.takeUp(passed)
        for space in found.spaces { takeUp(space: space) }
        for (facts, file) in found.resources {
            let flags = LockResource.Flags(rawValue: facts.flags)
            let lock = LockFile(descriptor: file, isShared: flags.contains(.shared))
            takeUp(
                LockResource(name: facts.name, path: facts.path, file: lock, flags: flags, owners: facts.owners),
                in: facts.space)
        }
        updateHolders()
        return found.clients.map { entry, client, socket in
            storedEntries[socket.rawValue] = entry
            return (socket, LockClient.document(client))
        }
    }

    /// Tries again until each lock is what it was.
    private func settleLater() {
        guard settling == nil else { return }
        settling = loop.schedule(after: Self.patience, name: "locks") { [weak self] in
            self?.assumeIsolated { store in
                store.settling = nil
                store.settleAgain()
            }
        }
    }

    func settleAgain() {
        for resource in allSpaces.flatMap(\.resources.values) where (try? resource.file.take()) != true {
            return settleLater()
        }
        log.info("every lock is held again")
    }

    /// Lets go of what processes held that are no more, and notices the end of those whose connection was lost.
    func watchOwners() {
        let connected = Set(clients.values.filter(\.isOwner).map(\.client.owner.pid))
        for holder in Set(allSpaces.flatMap { $0.resources.values.flatMap(\.owners) })
        where holder.start != nil && !connected.contains(holder.pid) {
            guard !holder.isGone, let pid = Int32(exactly: holder.pid),
                let process = try? RunningChild(adopting: pid, on: loop)
            else {
                ended(holder)
                continue
            }
            process.onExit { [weak self] _ in
                guard let self else { return }
                self.loop.execute { self.assumeIsolated { $0.ended(holder) } }
            }
        }
    }

    private func ended(_ holder: LockHolder) {
        let count = releaseAll(owner: holder.pid)
        if count > 0 { log.info("process \(holder.pid), which held \(count) locks, has ended") }
    }
}
