import VirtCore
import VirtDaemon
import VirtOS
import VirtRPC

/// The locks go to another program in the same process.
extension LockStore {
    /// Leaves the locks as they are to the next program: a lock of an open file goes with its descriptor, and C's program
    /// gives it up by closing that, as it does with its own. For that no copy may be left in systemd's store.
    func remains() async -> DriverRemains {
        isLeaving = true
        settling?.cancel()
        settling = nil
        var members = JSONObject()
        if stored.notify.isActive { await prepareStore(&members) }
        let document = LockDocument(spaces: allSpaces.map(LockDocument.Space.init))
        let descriptors = document.spaces.flatMap { $0.resources.map(\.descriptor) }
        return DriverRemains(
            document: JSONObject(members: document.document.members + members.members), descriptors: descriptors)
    }

    /// Tells the next program how the locks are stored, or empties the store for one that does not know of it.
    private func prepareStore(_ members: inout JSONObject) async {
        let notify = stored.notify
        let isKnown =
            (try? await BlockingPool.shared.run { StoreMarker.isIn(programOf: CommandLine.arguments) }) ?? false
        guard !isKnown else {
            let sockets = clients.compactMapValues { $0.handle.socket?.rawValue }
            members[StoredLocks.member] = stored.document(sockets: sockets)
            return
        }
        stored.forgetAll()
        _ = try? await BlockingPool.shared.run { notify.barrier() }
    }

    /// The next program could not be started.
    func goOn() async {
        isLeaving = false
        storeAll()
        for id in Array(clients.keys) where clients[id]?.handle.isClosed == true { await closed(id) }
        settleAgain()
    }

    private func storeAll() {
        for path in spaces.keys { stored.keep(space: path) }
        for space in allSpaces {
            for resource in space.resources.values { stored.keep(resource, in: space.directory ?? "") }
        }
        for id in clients.keys { keep(id) }
    }

    /// Takes over what the program before left. A document that makes no sense is refused as a whole.
    func takeUp(_ remains: JSONObject) {
        let document: LockDocument
        do throws(VirtError) {
            document = try LockDocument(parsing: remains)
        } catch {
            return log.error("the locks of the program before are lost: \(error.message)")
        }
        if let object = remains[StoredLocks.member]?.object {
            do throws(VirtError) {
                storedEntries = try stored.takeUp(object)
            } catch {
                log.error("what the program before stored is not known: \(error.message)")
            }
        }
        for space in document.spaces {
            if !space.directory.isEmpty {
                takeUp(space: space.directory)
                stored.keep(space: space.directory)
            }
            for resource in space.resources { takeUp(resource, in: space.directory) }
        }
        updateHolders()
    }

    private func takeUp(_ left: LockDocument.Resource, in path: String) {
        do throws(VirtError) {
            let file = try InheritedDescriptor.claim(left.descriptor, .file)
            let resource = LockResource(left, file)
            takeUp(resource, in: path)
            if !stored.holds(resource, in: path) { stored.keep(resource, in: path) }
        } catch {
            log.error("lock '\(left.path)' is lost: \(error.message)")
        }
    }

    /// What is known of a client, for the next program.
    func privateData(of client: ClientHandle) -> JSONObject {
        LockClient.document(clients[client.id]?.client)
    }

    /// A client of the program or process before.
    func adopt(_ client: ClientHandle, _ privateData: JSONObject) throws(VirtError) {
        guard let known = try LockClient.parse(privateData) else { return }
        if let socket = client.socket?.rawValue, let entry = storedEntries.removeValue(forKey: socket) {
            stored.clients[client.id] = entry
        }
        note(known, of: client)
    }
}

extension LockDocument.Space {
    init(_ space: LockSpace) {
        directory = space.directory ?? ""
        resources = space.resources.values.sorted { $0.name < $1.name }.map(LockDocument.Resource.init)
    }
}

extension LockDocument.Resource {
    init(_ resource: LockResource) {
        name = resource.name
        path = resource.path
        descriptor = resource.file.descriptor.rawValue
        flags = resource.flags.rawValue
        owners = resource.owners.map { LockDocument.Owner(pid: $0.pid, start: $0.start) }
    }
}

extension LockResource {
    fileprivate init(_ left: LockDocument.Resource, _ file: DescriptorBox) {
        let flags = Flags(rawValue: left.flags)
        let owners = left.owners.map { owner in
            // C's program does not say when an owner started: it is the process of that number now.
            owner.start.map { LockHolder(pid: owner.pid, start: $0 == 0 ? nil : $0) } ?? LockHolder(pid: owner.pid)
        }
        self.init(
            name: left.name, path: left.path,
            file: LockFile(descriptor: file, isShared: flags.contains(.shared)), flags: flags, owners: owners)
    }
}
