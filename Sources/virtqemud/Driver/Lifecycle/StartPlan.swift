import QEMUCommand
import VirtCore
import VirtModel
import VirtOS

/// A guest while it is started: what the steps have made so far, and how to take it back.
struct StartPlan: Sendable {
    var domain: Domain
    var facts: QEMUCapabilities
    var environment: CommandEnvironment
    /// What QEMU inherits, by the numbers that it is told.
    var descriptors: [Int32: DescriptorBox] = [:]
    var undo = UndoStack()
    let masterKey = MasterKey.random()
    var log: GuestLog?
    var isPaused = false
    /// The socket that the child connects to virtlockd, and QEMU keeps.
    private(set) var lockSocket: DescriptorBox?
    private(set) var lockNumber: Int32?
    /// QEMU's number of the descriptor that it reads its state from.
    private(set) var saved: Int32?
    private var nextDescriptor: Int32 = 30

    init(domain: Domain, facts: QEMUCapabilities, environment: CommandEnvironment) {
        self.domain = domain
        self.facts = facts
        self.environment = environment
    }

    /// Hands a descriptor to QEMU; the number that it will have there.
    mutating func pass(_ descriptor: DescriptorBox) -> Int32 {
        let number = nextDescriptor
        nextDescriptor += 1
        descriptors[number] = descriptor
        return number
    }

    /// Lets the child connect to virtlockd.
    mutating func setLockSocket(_ socket: DescriptorBox) {
        lockSocket = socket
        lockNumber = pass(socket)
    }

    /// Lets QEMU wait for a saved state instead of booting.
    mutating func setSaved(_ descriptor: DescriptorBox?) {
        guard let descriptor else { return }
        saved = pass(descriptor)
        environment.incoming = "defer"
    }
}
