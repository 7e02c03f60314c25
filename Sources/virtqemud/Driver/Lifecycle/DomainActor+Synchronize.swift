import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// What the driver asks of a QEMU that has just been started, or that it finds running: few round trips, each with many
/// questions.
extension DomainActor {
    /// After a start: libvirt's questions in its order.
    func synchronize(_ plan: inout StartPlan) async throws {
        try await askForProcessors()
        try await checkProcessor(&plan)
        try await setInitialState(plan)
        try await askForDevices()
        try await placeThreads(plan.domain)
        try await placeCompanions()
    }

    /// Terminals, processors and threads.
    private func askForProcessors() async throws {
        let answers = try await ask([
            QMPCommand("query-migrate-capabilities"),
            QMPCommand(
                "migrate-set-capabilities",
                ["capabilities": [["capability": "events", "state": true]]]),
            QMPCommand("query-chardev"), QMPCommand("query-hotpluggable-cpus"), QMPCommand("query-cpus-fast"),
            QMPCommand("query-iothreads"),
        ])
        adoptTerminals(answers[2])
        adoptProcessors(hotpluggable: answers[3], running: answers[4])
        adoptIOThreads(answers[5])
        publish()
        if live?.hasAgentChannel == true { emit(.agentLifecycle(state: 2, reason: 1)) }
    }

    /// Link states, passwords and the balloon.
    private func setInitialState(_ plan: StartPlan) async throws {
        var commands: [QMPCommand] = []
        for interface in plan.domain.devices.interfaces where interface.link == .down {
            guard let alias = interface.info.alias else { continue }
            commands.append(QMPCommand("set_link", ["name": .string(alias), "up": false]))
        }
        commands += passwordCommands(plan.domain)
        if plan.domain.hasBalloon {
            let bytes = plan.domain.currentMemoryKibibytes.multipliedReportingOverflow(by: 1024)
            commands.append(
                QMPCommand("balloon", ["value": .integer(bytes.overflow ? UInt64.max : bytes.partialValue)]))
        }
        if let period = plan.domain.devices.memballoon?.statsPeriod, let path = plan.domain.balloonPath {
            commands.append(
                QMPCommand(
                    "qom-set",
                    [
                        "path": .string(path), "property": "guest-stats-polling-interval", "value": .integer(period),
                    ]))
        }
        guard !commands.isEmpty else { return }
        for outcome in try await outcomes(commands) {
            if case .failure(let failure) = outcome { throw failure.virtError }
        }
    }

    private func passwordCommands(_ domain: Domain) -> [QMPCommand] {
        domain.devices.graphics.flatMap { graphics -> [QMPCommand] in
            let standard = graphics.type == .vnc ? driver.configuration.vncPassword : driver.configuration.spicePassword
            guard let password = graphics.password ?? standard else { return [] }
            let connected = graphics.passwordConnected?.rawValue ?? "keep"
            let name: JSONValue = .string(graphics.type.rawValue)
            var set: JSONObject = ["protocol": name, "password": .string(password)]
            if graphics.type == .spice { set["connected"] = .string(connected) }
            let until = graphics.passwordValidTo ?? (password.isEmpty ? "now" : "never")
            return [
                QMPCommand("set_password", .object(set)),
                QMPCommand("expire_password", ["protocol": name, "time": .string(until)]),
            ]
        }
    }

    /// The balloon, the devices that QEMU has, the drives.
    private func askForDevices() async throws {
        let answers = try await ask([
            QMPCommand("query-balloon"), QMPCommand("qom-list", ["path": "/machine/peripheral"]),
            QMPCommand("query-block"), QMPCommand("query-memory-devices"),
        ])
        adoptBalloon(answers[0])
        adoptDevices(answers[1])
        adoptDrives(answers[2])
        adoptMemoryDevices(answers[3])
        publish()
    }

    /// A guest that was found running: what may have changed while nobody looked. Its devices' terminals and ports too.
    func resynchronize() async throws {
        let answers = try await ask([
            QMPCommand("query-migrate-capabilities"), QMPCommand("query-status"),
            QMPCommand("query-hotpluggable-cpus"), QMPCommand("query-cpus-fast"), QMPCommand("query-iothreads"),
            QMPCommand("query-block"), QMPCommand("query-chardev"), QMPCommand("query-balloon"),
            QMPCommand("query-jobs"), QMPCommand("qom-list", ["path": "/machine/peripheral"]),
            QMPCommand("query-memory-devices"),
        ])
        adoptStatus(answers[1])
        adoptProcessors(hotpluggable: answers[2], running: answers[3])
        adoptIOThreads(answers[4])
        adoptDrives(answers[5])
        adoptTerminals(answers[6])
        adoptBalloon(answers[7])
        adoptDevices(answers[9])
        adoptMemoryDevices(answers[10])
        publish()
    }

    // MARK: Asking

    /// Sends the commands together; an answer that QEMU refused is null.
    func ask(_ commands: [QMPCommand], timeout: Duration = MonitorTimeout.standard) async throws -> [JSONValue] {
        let answers = try await outcomes(commands, timeout: timeout).map { outcome -> JSONValue in
            if case .success(let value) = outcome { value } else { .null }
        }
        guard answers.count == commands.count else {
            throw VirtError(.internalError, .qemu, "Missing monitor reply object")
        }
        return answers
    }

    private func outcomes(
        _ commands: [QMPCommand], timeout: Duration = MonitorTimeout.standard
    ) async throws -> [QMPSession.Outcome] {
        guard let monitor = runtime?.monitor else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        return try await monitor.executeAll(commands, timeout: timeout)
    }

    // MARK: Answers

    private func adoptTerminals(_ answer: JSONValue) {
        var terminals: [String: String] = [:]
        var open: [String: Bool] = [:]
        for entry in answer.array ?? [] {
            guard let label = entry["label"]?.string else { continue }
            if let name = entry["filename"]?.string, name.hasPrefix("pty:") {
                terminals[label] = String(name.dropFirst(4))
            }
            open[label] = entry["frontend-open"]?.bool
        }
        live?.setTerminals(terminals, open: open)
    }

    func adoptProcessors(hotpluggable: JSONValue, running: JSONValue) {
        let maximum = Int(clamping: live?.vcpu.maximum ?? 0)
        var list = Array(repeating: GuestRuntime.VCPU(thread: nil, isOnline: false), count: maximum)
        for entry in running.array ?? [] {
            guard let index: Int = (entry["cpu-index"] ?? entry["CPU"])?.integer(), list.indices.contains(index) else {
                continue
            }
            list[index].thread = (entry["thread-id"] ?? entry["thread_id"])?.integer()
            list[index].isOnline = true
            list[index].qomPath = (entry["qom-path"] ?? entry["qom_path"])?.string
        }
        runtime?.vcpus = list
    }

    func adoptIOThreads(_ answer: JSONValue) {
        runtime?.ioThreads = (answer.array ?? []).compactMap { entry in
            guard let name = entry["id"]?.string, name.hasPrefix("iothread"), let id = UInt32(name.dropFirst(8)),
                let thread: Int32 = entry["thread-id"]?.integer()
            else { return nil }
            return GuestRuntime.IOThread(id: id, thread: thread)
        }
    }

    private func adoptBalloon(_ answer: JSONValue) {
        guard let actual: UInt64 = answer["actual"]?.integer(), live?.hasBalloon == true else { return }
        live?.currentMemoryKibibytes = actual / 1024
    }

    private func adoptDevices(_ answer: JSONValue) {
        runtime?.devices = (answer.array ?? []).compactMap { entry in
            guard entry["type"]?.string?.hasPrefix("child<") == true else { return nil }
            return entry["name"]?.string
        }
    }

    private func adoptDrives(_ answer: JSONValue) {
        for entry in answer.array ?? [] {
            guard let isOpen = entry["tray_open"]?.bool else { continue }
            let identifier = entry["qdev"]?.string ?? ""
            _ = live?.setTray(open: isOpen, identifier: identifier, device: entry["device"]?.string ?? "")
        }
    }

    /// A state that changed while no daemon looked becomes known, with its event.
    private func adoptStatus(_ answer: JSONValue) {
        guard let word = answer["status"]?.string else { return }
        let isRunning = answer["running"]?.bool ?? (word == "running")
        switch (state.kind, isRunning) {
        case (.paused, true), (.suspended, true):
            state = .running(.unpaused)
            emit(.resumed(.unpaused))
        case (.running, false):
            if word == "shutdown" {
                state = .shutdown(.unknown)
                emit(.shutdown(.finished))
            } else {
                state = .paused(word == "io-error" ? .ioError : word == "watchdog" ? .watchdog : .unknown)
                emit(.suspended(word == "io-error" ? .ioError : word == "watchdog" ? .watchdog : .paused))
            }
        default: break
        }
    }
}
