import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtRPC
import VirtWire
import VirtXML

/// Definitions that come and go.
extension QEMUDriver {
    /// virDomainDefineXML: a new definition, or another one for a known domain.
    func define(_ xml: String, flags: UInt32) async throws -> RemoteNonnullDomain {
        let domain = try await readDefinition(xml, validating: flags & 1 != 0)
        switch try registry.match(name: domain.name, uuid: domain.identity) {
        case .existing(let actor):
            return try await actor.redefine(domain)
        case .new:
            let actor = DomainActor(domain, isPersistent: true, driver: self)
            return try await actor.define(domain)
        }
    }

    /// virDomainCreateXML: a guest without a persistent definition (or the one that is there, with another definition).
    func createTransient(_ xml: String, flags: UInt32, _ client: ClientHandle) async throws -> RemoteNonnullDomain {
        try flags.checkFlags(StartFlags.knownAtCreation, "qemuDomainCreateXML")
        let domain = try await readDefinition(xml, validating: flags & StartFlags.validate != 0)
        switch try registry.match(name: domain.name, uuid: domain.identity) {
        case .existing(let actor):
            return try await actor.createWith(domain, flags: flags, client)
        case .new:
            let actor = DomainActor(domain, isPersistent: false, driver: self)
            try registry.insert(actor, await actor.makeSnapshot())
            return try await actor.createWith(domain, flags: flags, client)
        }
    }

    /// The bytes of a definition's file.
    static func file(of domain: Domain) throws -> [UInt8] {
        let header = ObjectStore.header(command: "edit", name: domain.name, uuid: domain.uuid)
        return Array((header + (try domain.format([.inactive, .secure]))).utf8)
    }
}
