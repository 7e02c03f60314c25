import VirtCore

/// What undoes the steps that were done so far, the last one first.
struct Reverter {
    private(set) var actions: [HostAction] = []

    mutating func add(_ action: HostAction) { actions.append(action) }
    mutating func add(_ actions: [HostAction]) { self.actions += actions }

    /// Undoes everything; a step that can't be undone is logged and the others still are.
    func revert(on host: any NetworkHost) async {
        for action in actions.reversed() {
            do {
                try await host.perform(action)
            } catch {
                networkLog.warning("cannot undo a step of a failed start: \(error)")
            }
        }
    }
}

let networkLog = Logger("network.bridge_driver")
