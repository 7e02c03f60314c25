import VirtCore
import VirtOS
import VirtWire

/// Passes the messages of one client on to other daemons, byte for byte. Confined to the client's loop.
///
/// One upstream connection per daemon, opened on first use. Serials stay the client's own.
final class ConnectionRouter {
    private let rules: ForwardingRules
    private let dialers: Dialers
    private let client: ClientHandle
    private let front: any MessagePort
    private var upstreams: [ForwardingRules.Target: Upstream] = [:]
    /// Open streams of the client, by serial.
    private var streams: [UInt32: Upstream] = [:]
    /// Where the calls of each driver went before. The URI that it depends on is opened only once.
    private var known = [Upstream?](repeating: nil, count: ForwardingRules.Driver.allCases.count)

    init(rules: ForwardingRules, dialers: Dialers, client: ClientHandle, front: any MessagePort) {
        self.rules = rules
        self.dialers = dialers
        self.client = client
        self.front = front
    }

    var isProxy: Bool { rules.isProxy }

    /// Passes a call on; false when this daemon has to answer it.
    func forward(_ frame: Frame, _ procedure: ProcedureDescriptor) -> Bool {
        guard let upstream = upstream(of: procedure) else { return false }
        if procedure.stream != nil { streams[frame.header.serial] = upstream }
        upstream.send(frame, procedure)
        return true
    }

    /// Passes a stream packet on; false when the stream is not one of another daemon.
    func forwardStream(_ frame: Frame) -> Bool {
        guard let upstream = streams[frame.header.serial] else { return false }
        upstream.sendStreamPacket(frame)
        return true
    }

    /// CONNECT_OPEN at the proxy: opens the daemon that the URI names and answers with its verdict.
    func open(_ frame: Frame, _ procedure: ProcedureDescriptor) {
        guard let target = rules.target(procedure, uri: client.uri) else { return }
        upstream(target).open(answering: frame.header)
    }

    private func upstream(of procedure: ProcedureDescriptor) -> Upstream? {
        let place = ForwardingRules.driver(of: procedure).place
        if known.indices.contains(place), let upstream = known[place] { return upstream }
        guard let target = rules.target(procedure, uri: client.uri) else { return nil }
        let upstream = upstream(target)
        if known.indices.contains(place), client.uri != nil { known[place] = upstream }
        return upstream
    }

    /// The client's messages of this turn have been passed on.
    func frontTurnEnded() {
        for upstream in upstreams.values { upstream.frontTurnEnded() }
    }

    private func upstream(_ target: ForwardingRules.Target) -> Upstream {
        if let upstream = upstreams[target] { return upstream }
        let upstream = Upstream(
            target, client: client, front: front, dialer: dialers.dialer(target, loop: client.loop), router: self)
        upstreams[target] = upstream
        return upstream
    }

    func streamEnded(_ serial: UInt32) { streams[serial] = nil }

    func frontDrained() {
        for upstream in upstreams.values { upstream.resumeReading() }
    }

    func close() {
        for upstream in upstreams.values { upstream.close() }
        upstreams = [:]
        known = []
        streams = [:]
    }
}
