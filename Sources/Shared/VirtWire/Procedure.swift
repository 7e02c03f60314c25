/// A call: ties number, arguments, reply and rules together, so that a handler with wrong types does not compile.
package protocol Procedure: SendableMetatype {
    associatedtype Arguments: XDRCodable
    associatedtype Reply: XDRCodable
    static var descriptor: ProcedureDescriptor { get }
    /// The word of the arguments on which read-only and access rules and holes in streams depend: `flags`, or the
    /// `source` of DOMAIN_INTERFACE_ADDRESSES; 0 where nothing depends on one.
    static func flags(of arguments: Arguments) -> UInt32
}

extension Procedure {
    package static func flags(of arguments: Arguments) -> UInt32 { 0 }
}

/// A message that the server sends on its own (and both sides of keepalive).
package protocol EventMessage: SendableMetatype {
    associatedtype Message: XDRCodable
    static var descriptor: ProcedureDescriptor { get }
}

/// What is known of a procedure before its arguments are read. A class: every call looks at one, none copies it.
package final class ProcedureDescriptor: Sendable {
    /// Whether a call may run on the workers that are kept for calls which never wait long.
    package enum Priority: Sendable { case low, high }

    /// Which way a stream's data goes: `read` from the server (console and channel streams: both ways), `write` to it.
    package enum StreamDirection: Sendable { case read, write }

    package let program: UInt32
    package let version: UInt32
    package let number: Int32
    /// "DOMAIN_GET_XML_DESC"
    package let name: String
    /// The function of libvirt's API that a refusal names ("virDomainGetXMLDesc"), empty if there is none.
    package let api: String
    package let priority: Priority
    package let stream: StreamDirection?
    /// The flag of the call that allows holes in its stream, 0 if there can be none.
    package let sparseFlag: UInt32
    package let readOnly: ReadOnlyRule
    /// All of these are needed for the call.
    package let access: [AccessRule]
    /// Objects in the reply that fail any of these are left out.
    package let accessFilter: [AccessRule]
    package let isEvent: Bool

    package init(
        program: UInt32, version: UInt32, number: Int32, name: String, api: String = "",
        priority: Priority = .low, stream: StreamDirection? = nil, sparseFlag: UInt32 = 0,
        readOnly: ReadOnlyRule = .allowed,
        access: [AccessRule] = [], accessFilter: [AccessRule] = [], isEvent: Bool = false
    ) {
        self.program = program
        self.version = version
        self.number = number
        self.name = name
        self.api = api
        self.priority = priority
        self.stream = stream
        self.sparseFlag = sparseFlag
        self.readOnly = readOnly
        self.access = access
        self.accessFilter = accessFilter
        self.isEvent = isEvent
    }

    /// A call of this procedure can ask for holes in its stream.
    package var sparse: Bool { sparseFlag != 0 }
}

/// Whether a client of a read-only connection may make a call.
package enum ReadOnlyRule: Sendable, Equatable {
    case allowed
    case denied
    /// Denied when the call's flags have one of these.
    case flags(UInt32)
    /// Denied when the deciding word is this.
    case value(UInt32)

    /// `flags` is what `Procedure.flags(of:)` says of the call.
    package func allows(flags: UInt32) -> Bool {
        switch self {
        case .allowed: true
        case .denied: false
        case .flags(let denied): flags & denied == 0
        case .value(let denied): flags != denied
        }
    }
}

/// A permission that a call, or an object in its reply, needs.
package struct AccessRule: Sendable, Equatable {
    /// What a permission is for; the names are those of libvirt's polkit actions.
    package enum Object: String, Sendable, CaseIterable {
        case connect
        case domain
        case interface
        case network
        case networkPort = "network_port"
        case nodeDevice = "node_device"
        case nwfilter
        case nwfilterBinding = "nwfilter_binding"
        case secret
        case storagePool = "storage_pool"
        case storageVolume = "storage_vol"
    }

    /// When a rule counts.
    package enum Condition: Sendable, Equatable {
        case always
        /// The call's flags have all of these.
        case flags(UInt32)
        /// The call's flags have none of these.
        case noFlags(UInt32)
        /// The deciding word is this.
        case value(UInt32)
    }

    package let object: Object
    /// "getattr", "read_secure", ...
    package let permission: String
    package let condition: Condition

    package init(_ object: Object, _ permission: String, _ condition: Condition = .always) {
        self.object = object
        self.permission = permission
        self.condition = condition
    }

    /// `flags` is what `Procedure.flags(of:)` says of the call.
    package func applies(flags: UInt32) -> Bool {
        switch condition {
        case .always: true
        case .flags(let mask): flags & mask == mask
        case .noFlags(let mask): flags & mask == 0
        case .value(let value): flags == value
        }
    }
}

/// One program: its numbers and all of its procedures, in order of their numbers.
package struct ProgramDescription: Sendable {
    /// "remote", "qemu", ...
    package let name: String
    package let number: UInt32
    package let version: UInt32
    package let procedures: [ProcedureDescriptor]

    package init(name: String, number: UInt32, version: UInt32, procedures: [ProcedureDescriptor]) {
        self.name = name
        self.number = number
        self.version = version
        self.procedures = procedures
    }

    /// The procedure with a number, nil if the program has none. Numbers start at 1 and leave no gaps.
    package func procedure(_ number: Int32) -> ProcedureDescriptor? {
        guard number > 0, number <= procedures.count else { return nil }
        return procedures[Int(number) - 1]
    }
}
