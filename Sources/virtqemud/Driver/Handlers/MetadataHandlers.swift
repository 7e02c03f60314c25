import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Titles, descriptions, and applications' own elements (virDomainGetMetadata, virDomainSetMetadata).
enum MetadataHandlers {
    /// virDomainMetadataType.
    private enum Kind {
        static let description: Int32 = 0
        static let title: Int32 = 1
        static let element: Int32 = 2
    }

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.on(RemoteProgram.DomainGetMetadata.self) { arguments, _ in
            .init(metadata: try get(registry.snapshot(arguments.dom), arguments))
        }
        table.onChange(RemoteProgram.DomainSetMetadata.self) { arguments, caller in
            try await set(registry.actor(arguments.dom), arguments, caller.client)
            return .init()
        }
    }

    private static func get(_ snapshot: DomainSnapshot, _ arguments: RemoteDomainGetMetadataArgs) throws -> String {
        try arguments.flags.checkFlags(ModificationImpact.mask, "virDomainObjGetMetadata", domain: .domain)
        let impact = try ModificationImpact(arguments.flags, snapshot)
        let domain = impact.live ? try snapshot.current() : try snapshot.persistent()
        let found =
            switch arguments.type {
            case Kind.description: domain.description
            case Kind.title: domain.title
            case Kind.element: try MetadataElement.find(arguments.uri ?? "", in: domain.metadata)
            default: throw VirtError(.invalidArg, .domain, "unknown metadata type")
            }
        guard let value = found else {
            throw VirtError(.noDomainMetadata, .domain, "Requested metadata element is not present")
        }
        return value
    }

    private static func set(
        _ actor: DomainActor, _ arguments: RemoteDomainSetMetadataArgs, _ client: ClientHandle
    ) async throws {
        try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainSetMetadata")
        let text = arguments.metadata
        let change: @Sendable (inout Domain) throws -> Void
        switch arguments.type {
        case Kind.description: change = { $0.description = text.flatMap { $0.isEmpty ? nil : $0 } }
        case Kind.title:
            if text?.contains("\n") == true {
                throw VirtError(.invalidArg, .domain, "metadata title can't contain newlines")
            }
            change = { $0.title = text.flatMap { $0.isEmpty ? nil : $0 } }
        case Kind.element:
            guard let uri = arguments.uri else { throw VirtError(.invalidArg, .domain, "missing namespace") }
            guard text == nil || arguments.key != nil else { throw VirtError(.invalidArg, .domain, "missing prefix") }
            let key = arguments.key ?? ""
            change = { $0.metadata = try MetadataElement.set(text, key: key, uri: uri, in: $0.metadata) }
        default:
            change = { _ in throw VirtError(.invalidArg, .domain, "unknown metadata type '\(arguments.type)'") }
        }
        try await actor.setMetadata(arguments.type, arguments.uri, flags: arguments.flags, client, change)
    }
}

extension DomainActor {
    fileprivate func setMetadata(
        _ type: Int32, _ uri: String?, flags: UInt32, _ client: ClientHandle,
        _ definition: @Sendable (inout Domain) throws -> Void
    ) async throws {
        try await change("virDomainSetMetadata", flags: flags, client, guest: { _, _ in }, definition: definition)
        emit(.metadataChange(type: type, uri: uri))
    }
}
