import VirtCore
import VirtOS
import VirtRPC

/// Reads the typed parameters of a change as libvirt checks them.
private struct ParameterReader {
    private var values: [String: UInt32] = [:]

    init(_ parameters: [TypedParameter], allowed: [String]) throws(VirtError) {
        for parameter in parameters {
            let field = parameter.field
            guard allowed.contains(field) else {
                throw VirtError(.argumentUnsupported, .none, "parameter '\(field)' not supported")
            }
            guard case .uint(let value) = parameter.value else {
                let type = parameter.value.typeName
                throw VirtError(
                    .invalidArg, .none, "invalid type '\(type)' for parameter '\(field)', expected 'uint'")
            }
            guard values.updateValue(value, forKey: field) == nil else {
                throw VirtError(.invalidArg, .none, "parameter '\(field)' occurs multiple times")
            }
        }
    }

    subscript(_ field: String) -> UInt32? { values[field] }
}

extension TypedValue {
    fileprivate var typeName: String {
        switch self {
        case .int: "int"
        case .uint: "uint"
        case .llong: "llong"
        case .ullong: "ullong"
        case .double: "double"
        case .boolean: "boolean"
        case .string: "string"
        }
    }
}

/// The thread pool that virt-admin expects; calls in flight play its busy workers.
enum WorkerPool {
    static func parameters(_ served: ServedServer) -> [TypedParameter] {
        let workers = served.workers
        // The call that asks occupies a worker of its server.
        let own = served.isAdmin ? 1 : 0
        let running = UInt32(clamping: served.server.core.counts.running + own)
        let count = min(max(workers.current, running), workers.maximum)
        return [
            TypedParameter("minWorkers", .uint(workers.minimum)),
            TypedParameter("maxWorkers", .uint(workers.maximum)),
            TypedParameter("nWorkers", .uint(count)),
            TypedParameter("freeWorkers", .uint(count - min(count, running))),
            TypedParameter("prioWorkers", .uint(workers.priority)),
            TypedParameter("jobQueueDepth", .uint(running - min(count, running))),
        ]
    }

    static func change(_ workers: inout WorkerNumbers, _ parameters: [TypedParameter]) throws(VirtError) {
        let new = try ParameterReader(parameters, allowed: ["minWorkers", "maxWorkers", "prioWorkers"])
        let minimum = new["minWorkers"] ?? workers.minimum
        let maximum = new["maxWorkers"] ?? workers.maximum
        guard minimum <= maximum else {
            throw VirtError(.invalidArg, .none, "minWorkers cannot be larger than maxWorkers")
        }
        guard (maximum == 0) == (workers.maximum == 0) else {
            throw VirtError(
                .invalidArg, .none, "maxWorkers must not be switched from zero to non-zero and vice versa")
        }
        workers.minimum = minimum
        workers.maximum = maximum
        workers.priority = new["prioWorkers"] ?? workers.priority
        workers.adjust()
    }
}

/// The bounds on a server's clients.
enum ClientLimits {
    static func parameters(_ served: ServedServer) -> [TypedParameter] {
        let limits = served.server.core.limits
        let counts = served.server.core.counts
        return [
            TypedParameter("nclients_max", .uint(UInt32(clamping: limits.maxClients))),
            TypedParameter("nclients", .uint(UInt32(clamping: counts.clients))),
            TypedParameter("nclients_unauth_max", .uint(UInt32(clamping: limits.maxAnonymousClients))),
            TypedParameter("nclients_unauth", .uint(UInt32(clamping: counts.anonymous))),
        ]
    }

    static func change(_ server: RPCServer, _ parameters: [TypedParameter]) throws(VirtError) {
        let new = try ParameterReader(parameters, allowed: ["nclients_max", "nclients_unauth_max"])
        var limits = server.core.limits
        if let most = new["nclients_max"] { limits.maxClients = Int(most) }
        if let most = new["nclients_unauth_max"] { limits.maxAnonymousClients = Int(most) }
        guard limits.maxAnonymousClients <= limits.maxClients else {
            throw VirtError(
                .invalidArg, .rpc,
                "The overall maximum number of clients waiting for authentication must not be less than the overall "
                    + "maximum number of clients")
        }
        server.core.limits = limits
    }
}

/// What is known of one client.
enum ClientInfo {
    static func parameters(_ client: ClientHandle) -> [TypedParameter] {
        let identity = client.identity
        var list = [TypedParameter("readonly", .boolean(client.isReadOnly))]
        func add(_ field: String, _ value: TypedValue?) {
            if let value { list.append(TypedParameter(field, value)) }
        }
        let user = identity.userID.flatMap { Int32(exactly: $0) }
        let group = identity.groupID.flatMap { Int32(exactly: $0) }
        add("unix_user_id", user.map { .int($0) })
        add("unix_user_name", (identity.userName ?? user.flatMap { HostInfo.userName(UInt32($0)) }).map { .string($0) })
        add("unix_group_id", group.map { .int($0) })
        add(
            "unix_group_name",
            (identity.groupName ?? group.flatMap { HostInfo.groupName(UInt32($0)) }).map { .string($0) })
        add("unix_process_id", identity.processID.flatMap { Int32(exactly: $0) }.map { .int($0) })
        add("sasl_user_name", identity.saslUserName.map { .string($0) })
        add("tls_x509_dname", identity.x509DistinguishedName.map { .string($0) })
        add("selinux_context", identity.selinuxContext.map { .string($0) })
        return list
    }
}
