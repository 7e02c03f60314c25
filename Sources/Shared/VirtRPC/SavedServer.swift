package import VirtCore

/// What of a server outlives its program when that is replaced in place.
package struct SavedServer: Sendable, Equatable {
    package var limits: ServerLimits
    /// The id of the next client.
    package var nextID: UInt64
    package var services: [SavedService]
    package var clients: [SavedClient]

    package init(limits: ServerLimits, nextID: UInt64, services: [SavedService] = [], clients: [SavedClient] = []) {
        self.limits = limits
        self.nextID = nextID
        self.services = services
        self.clients = clients
    }
}

/// A listening socket.
package struct SavedService: Sendable, Equatable {
    package var descriptor: Int32
    package var isReadOnly: Bool
    package var authentication: Authentication
    /// The daemon made the socket and removes its file at its end; else it was activated with it.
    package var isOwn: Bool

    package init(descriptor: Int32, isReadOnly: Bool, authentication: Authentication, isOwn: Bool) {
        self.descriptor = descriptor
        self.isReadOnly = isReadOnly
        self.authentication = authentication
        self.isOwn = isOwn
    }
}

/// A connected client.
package struct SavedClient: Sendable, Equatable {
    package var id: UInt64
    package var descriptor: Int32
    package var isReadOnly: Bool
    package var authentication: Authentication
    package var isAuthenticated: Bool
    /// Seconds since the epoch; 0: not known.
    package var connectTime: Int64
    /// What was read of a message that is not complete.
    package var input: [UInt8]
    /// What the daemon's driver knows of the client.
    package var privateData: JSONObject

    package init(
        id: UInt64, descriptor: Int32, isReadOnly: Bool, authentication: Authentication, isAuthenticated: Bool,
        connectTime: Int64, input: [UInt8] = [], privateData: JSONObject = JSONObject()
    ) {
        self.id = id
        self.descriptor = descriptor
        self.isReadOnly = isReadOnly
        self.authentication = authentication
        self.isAuthenticated = isAuthenticated
        self.connectTime = connectTime
        self.input = input
        self.privateData = privateData
    }
}
