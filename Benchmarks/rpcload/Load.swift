/// Many clients, each with so many calls in flight, for so long.
struct Load {
    let path: String
    let clients: Int
    let depth: Int
    let seconds: Double
    let call: Call
    /// Without AUTH_LIST and CONNECT_OPEN, for the bare echo.
    var isBare = false

    func run() throws -> String {
        let waiter = try Waiter()
        var pumps: [Pump] = []
        for index in 0..<clients {
            let session = try isBare ? Session(path: path) : Session.open(path)
            pumps.append(Pump(session.socket, call, depth: depth))
            try waiter.add(pumps[index], index)
        }
        var latencies = Latencies()
        let start = now()
        let end = start + UInt64(seconds * 1e9)
        for pump in pumps { try pump.send(depth) }
        while now() < end {
            try waiter.wait(100) { try pumps[$0].ready(&latencies) }
        }
        let elapsed = Double(now() - start) / 1e9
        latencies.sort()
        let errors = pumps.reduce(0) { $0 + $1.errors }
        let bytes = pumps.reduce(0) { $0 + $1.bytes }
        return "clients=\(clients) depth=\(depth) calls=\(latencies.count) errors=\(errors)"
            + " calls_per_s=\((Double(latencies.count) / elapsed).text(0))"
            + " mb_per_s=\((Double(bytes) / elapsed / 1e6).text())"
            + " p50=\(latencies.quantile(0.5).text()) p99=\(latencies.quantile(0.99).text())"
    }
}

/// One client sends 200 slow calls at once and pings; another's calls are timed, alone and meanwhile.
struct Flood {
    static let calls = 200
    let path: String
    let seconds: Double
    let slow: Call

    func run() throws -> String {
        let other = Pump(try Session.open(path).socket, .libVersion, depth: 1)
        let waiter = try Waiter()
        try waiter.add(other, 0)
        try other.send(1)
        var warmUp = Latencies()
        var idle = Latencies()
        try measure(waiter, other, 0.3, &warmUp)
        try measure(waiter, other, seconds, &idle)

        let flooding = Pump(try Session.open(path).socket, slow, depth: Flood.calls)
        flooding.isStopped = true
        try waiter.add(flooding, 1)
        var (busy, slowTimes) = (Latencies(), Latencies())
        var pings = 0
        let start = now()
        try flooding.send(Flood.calls)
        var nextPing = start
        let end = start + UInt64(seconds * 1e9)
        while now() < end {
            if now() >= nextPing, flooding.pongs == pings {
                try flooding.ping()
                pings += 1
                nextPing = now() + 100_000_000
            }
            try waiter.wait(20) { tag in
                if tag == 0 { try other.ready(&busy) } else { try flooding.ready(&slowTimes) }
            }
        }
        let within = flooding.replies
        idle.sort()
        busy.sort()
        return "slow_calls=\(Flood.calls) answered_meanwhile=\(within) errors=\(flooding.errors)"
            + " pings=\(pings) pongs=\(flooding.pongs)"
            + " slowest_pong=\((Double(flooding.slowestPong) / 1000).text())"
            + " idle_p50=\(idle.quantile(0.5).text()) idle_p99=\(idle.quantile(0.99).text())"
            + " busy_p50=\(busy.quantile(0.5).text()) busy_p99=\(busy.quantile(0.99).text())"
            + " ratio=\((busy.quantile(0.99) / max(idle.quantile(0.99), 0.001)).text(2))"
    }

    private func measure(
        _ waiter: borrowing Waiter, _ pump: Pump, _ seconds: Double, _ latencies: inout Latencies
    ) throws {
        let end = now() + UInt64(seconds * 1e9)
        while now() < end { try waiter.wait(100) { _ in try pump.ready(&latencies) } }
    }
}
