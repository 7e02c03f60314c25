import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Block jobs: copies, commits and pulls of a running guest's images.
enum BlockJobHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installStarts(into: &table, driver.registry)
        installCopies(into: &table, driver.registry)
        installControl(into: &table, driver.registry)
    }

    private static func installStarts(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainBlockPull.self) { arguments, caller in
            // VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES is the same as for rebasing.
            try arguments.flags.checkFlags(BlockRebaseFlags.bytes, "qemuDomainBlockPull")
            try await registry.actor(arguments.dom).blockPull(
                arguments.path, base: nil, bandwidth: arguments.bandwidth, flags: arguments.flags,
                "virDomainBlockPull", caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainBlockCommit.self) { arguments, caller in
            try await registry.actor(arguments.dom).blockCommit(
                arguments.disk,
                .init(
                    base: arguments.base, top: arguments.top, bandwidth: arguments.bandwidth,
                    flags: arguments.flags), caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainBlockRebase.self) { arguments, caller in
            try arguments.flags.checkFlags(BlockRebaseFlags.all, "qemuDomainBlockRebase")
            let actor = try registry.actor(arguments.dom)
            guard arguments.flags & BlockRebaseFlags.copy != 0 else {
                return try await pull(actor, arguments, caller)
            }
            try await actor.blockCopy(
                arguments.path, try copyRequest(arguments), "virDomainBlockRebase", caller.client)
            return .init()
        }
    }

    private static func pull(
        _ actor: DomainActor, _ arguments: RemoteDomainBlockRebaseArgs, _ caller: Caller
    ) async throws -> RemoteProgram.DomainBlockRebase.Reply {
        try await actor.blockPull(
            arguments.path, base: arguments.base, bandwidth: arguments.bandwidth, flags: arguments.flags,
            "virDomainBlockRebase", caller.client)
        return .init()
    }

    /// The older form of a copy: a path and flags.
    private static func copyRequest(_ arguments: RemoteDomainBlockRebaseArgs) throws -> DomainActor.CopyRequest {
        var source = DiskSource()
        if arguments.flags & BlockRebaseFlags.copyDevice != 0 {
            source.type = .block
            source.dev = arguments.base
        } else {
            source.file = arguments.base
        }
        let isRaw = arguments.flags & BlockRebaseFlags.copyRaw != 0
        var request = DomainActor.CopyRequest(
            copy: ImageChain([ChainImage(source, format: isRaw ? DiskFormat() : nil)]))
        request.bandwidth = try BlockBandwidth.bytes(
            arguments.bandwidth, isBytes: arguments.flags & BlockRebaseFlags.bytes != 0)
        guard arguments.flags & BlockRebaseFlags.relative == 0 else {
            throw VirtError(
                .argumentUnsupported, .qemu, "Relative backing during copy not supported yet")
        }
        request.flags = arguments.flags & (BlockRebaseFlags.shallow | BlockRebaseFlags.reuseExternal)
        return request
    }

    private static func installCopies(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainBlockCopy.self) { arguments, caller in
            try arguments.flags.checkFlags(BlockCopyFlags.all, "qemuDomainBlockCopy")
            let actor = try registry.actor(arguments.dom)
            var request = DomainActor.CopyRequest(copy: ImageChain())
            try apply(arguments.params, to: &request)
            request.copy = try ImageChain.parse(copy: arguments.destxml)
            request.flags = arguments.flags
            try await actor.blockCopy(arguments.path, request, "virDomainBlockCopy", caller.client)
            return .init()
        }
    }

    /// VIR_DOMAIN_BLOCK_COPY_BANDWIDTH, _GRANULARITY and _BUF_SIZE.
    private static func apply(
        _ parameters: [TypedParameter], to request: inout DomainActor.CopyRequest
    ) throws(VirtError) {
        for parameter in parameters {
            switch (parameter.field, parameter.value) {
            case ("bandwidth", .ullong(let value)): request.bandwidth = value
            case ("buf-size", .ullong(let value)): request.bufferSize = value
            case ("granularity", .uint(let value)):
                guard value & (value &- 1) == 0 else {
                    throw VirtError(.invalidArg, .qemu, "granularity must be power of 2")
                }
                request.granularity = value
            case ("bandwidth", _), ("buf-size", _), ("granularity", _):
                throw VirtError(
                    .invalidArg, .none, "invalid type for parameter '\(parameter.field)'")
            default:
                throw VirtError(
                    .argumentUnsupported, .none, "parameter '\(parameter.field)' not supported")
            }
        }
    }

    private static func installControl(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainGetBlockJobInfo.self) { arguments, caller in
            try await registry.actor(arguments.dom).blockJobInfo(
                arguments.path, flags: arguments.flags, caller.client)
        }
        table.onChange(RemoteProgram.DomainBlockJobAbort.self) { arguments, caller in
            try await registry.actor(arguments.dom).blockJobAbort(
                arguments.path, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainBlockJobSetSpeed.self) { arguments, caller in
            try await registry.actor(arguments.dom).blockJobSetSpeed(
                arguments.path, bandwidth: arguments.bandwidth, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}
