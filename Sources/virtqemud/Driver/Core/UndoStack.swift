/// What a start has done so far: each step registers how to take it back, and a failure runs the undos backwards.
struct UndoStack: Sendable {
    typealias Step = @Sendable () async -> Void

    private var steps: [(name: String, run: Step)] = []

    /// The names of the steps, in the order in which they were done.
    var names: [String] { steps.map(\.name) }

    mutating func add(_ name: String, _ run: @escaping Step) {
        steps.append((name, run))
    }

    /// Runs all undos, the last step's first, and forgets them.
    mutating func unwind() async {
        while let step = steps.popLast() {
            await step.run()
        }
    }

    /// The start succeeded: nothing is taken back any more.
    mutating func forget() {
        steps = []
    }
}
