import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

extension BulkStatistics {
    /// The groups of a running guest, in libvirt's order.
    static func live(
        _ domain: DomainSnapshot, _ groups: Groups, _ flags: UInt32, _ answers: Answers
    ) -> [TypedParameter] {
        guard let definition = domain.live, let runtime = domain.runtime else { return [] }
        var list: [TypedParameter] = []
        if groups.contains(.state) {
            list.append(TypedParameter("state.state", .int(domain.state.kind.rawValue)))
            list.append(TypedParameter("state.reason", .int(domain.state.reason)))
        }
        if groups.contains(.cpu) { addProcess(&list, runtime) }
        if groups.contains(.balloon) { addBalloon(&list, definition, runtime, answers) }
        if groups.contains(.vcpu) { addProcessors(&list, definition, runtime) }
        if groups.contains(.interface) { addInterfaces(&list, definition) }
        if groups.contains(.block) { addBlocks(&list, definition, flags, answers) }
        if groups.contains(.iothread) { addThreads(&list, answers) }
        if groups.contains(.dirtyRate) { addDirtyRate(&list, answers) }
        return list
    }

    private static func addProcess(_ list: inout [TypedParameter], _ runtime: GuestRuntime) {
        if let time = try? runtime.cgroup?.group.processorTime() {
            list.append(TypedParameter("cpu.time", .ullong(time.total)))
            list.append(TypedParameter("cpu.user", .ullong(time.user)))
            list.append(TypedParameter("cpu.system", .ullong(time.system)))
        } else if let statistics = ProcessStatistics.read(pid: runtime.pid) {
            list.append(TypedParameter("cpu.time", .ullong(statistics.total)))
            list.append(TypedParameter("cpu.user", .ullong(statistics.user)))
            list.append(TypedParameter("cpu.system", .ullong(statistics.system)))
        }
        list.append(TypedParameter("cpu.cache.monitor.count", .uint(0)))
        list.append(TypedParameter("cpu.haltpoll.success.time", .ullong(0)))
        list.append(TypedParameter("cpu.haltpoll.fail.time", .ullong(0)))
    }

    private static func addBalloon(
        _ list: inout [TypedParameter], _ definition: Domain, _ runtime: GuestRuntime, _ answers: Answers
    ) {
        let actual: UInt64? = answers.balloon["actual"]?.integer()
        let current = actual.map { $0 / 1024 } ?? definition.currentMemoryKibibytes
        list.append(TypedParameter("balloon.current", .ullong(current)))
        list.append(TypedParameter("balloon.maximum", .ullong(definition.maximumMemoryKibibytes)))
        for entry in MemoryStatistics(answers.memory).tagged {
            list.append(TypedParameter("balloon." + entry.name, .ullong(entry.value)))
        }
        if let statistics = ProcessStatistics.read(pid: runtime.pid) {
            list.append(TypedParameter("balloon.rss", .ullong(statistics.resident)))
        }
    }

    private static func addProcessors(
        _ list: inout [TypedParameter], _ definition: Domain, _ runtime: GuestRuntime
    ) {
        list.append(TypedParameter("vcpu.current", .uint(definition.onlineVCPUs)))
        list.append(TypedParameter("vcpu.maximum", .uint(definition.vcpu.maximum)))
        for (index, vcpu) in runtime.vcpus.enumerated() where vcpu.isOnline {
            let prefix = "vcpu.\(index)."
            list.append(TypedParameter(prefix + "state", .int(1)))
            guard let thread = vcpu.thread else { continue }
            if let statistics = ProcessStatistics.read(pid: runtime.pid, thread: thread) {
                list.append(TypedParameter(prefix + "time", .ullong(statistics.total)))
            }
            let wait = ProcessStatistics.schedulerWait(pid: runtime.pid, thread: thread)
            list.append(TypedParameter(prefix + "wait", .ullong(wait)))
            if let delay = ProcessStatistics.runDelay(pid: runtime.pid, thread: thread) {
                list.append(TypedParameter(prefix + "delay", .ullong(delay)))
            }
        }
    }

    private static func addInterfaces(_ list: inout [TypedParameter], _ definition: Domain) {
        let interfaces = definition.devices.interfaces
        list.append(TypedParameter("net.count", .uint(UInt32(clamping: interfaces.count))))
        let table = interfaces.isEmpty ? "" : ProcFile.text("/proc/net/dev") ?? ""
        for (index, interface) in interfaces.enumerated() {
            guard let name = interface.targetDevice else { continue }
            let prefix = "net.\(index)."
            list.append(TypedParameter(prefix + "name", .string(name)))
            guard let counts = InterfaceStatistics.parse(table, name)?.swapped else { continue }
            let numbers: [(String, Int64)] = [
                ("rx.bytes", counts.receivedBytes), ("rx.pkts", counts.receivedPackets),
                ("rx.errs", counts.receiveErrors), ("rx.drop", counts.receiveDrops), ("tx.bytes", counts.sentBytes),
                ("tx.pkts", counts.sentPackets), ("tx.errs", counts.sendErrors), ("tx.drop", counts.sendDrops),
            ]
            for (key, value) in numbers {
                list.append(TypedParameter(prefix + key, .ullong(UInt64(clamping: value))))
            }
        }
    }

    private static func addBlocks(
        _ list: inout [TypedParameter], _ definition: Domain, _ flags: UInt32, _ answers: Answers
    ) {
        let statistics = BlockStatistics.byAlias(answers.blocks)
        let nodes = ImageSize.byNode(answers.nodes)
        let place = list.count
        var count: UInt32 = 0
        for disk in definition.devices.disks {
            let chain = flags & backing != 0 ? disk.chain : Array(disk.chain.prefix(1))
            for (depth, image) in (chain.isEmpty ? [DiskSource()] : chain).enumerated() {
                let prefix = "block.\(count)."
                count += 1
                list.append(TypedParameter(prefix + "name", .string(disk.target.dev ?? "")))
                if let path = image.path { list.append(TypedParameter(prefix + "path", .string(path))) }
                if let index = image.index { list.append(TypedParameter(prefix + "backingIndex", .uint(index))) }
                let counts = depth == 0 ? disk.info.alias.flatMap { statistics[$0] } : nil
                if let counts { addCounts(&list, prefix, counts) }
                guard let index = image.index, let size = nodes["libvirt-\(index)-format"] else { continue }
                list.append(TypedParameter(prefix + "allocation", .ullong(counts?.highestOffset ?? 0)))
                list.append(TypedParameter(prefix + "capacity", .ullong(size.capacity)))
                list.append(TypedParameter(prefix + "physical", .ullong(size.physical)))
            }
        }
        list.insert(TypedParameter("block.count", .uint(count)), at: place)
    }

    private static func addCounts(_ list: inout [TypedParameter], _ prefix: String, _ counts: BlockStatistics) {
        let numbers: [(String, Int64)] = [
            ("rd.reqs", counts.readRequests), ("rd.bytes", counts.readBytes), ("rd.times", counts.readTime),
            ("wr.reqs", counts.writeRequests), ("wr.bytes", counts.writeBytes), ("wr.times", counts.writeTime),
            ("fl.reqs", counts.flushRequests), ("fl.times", counts.flushTime),
        ]
        for (key, value) in numbers { list.append(TypedParameter(prefix + key, .ullong(UInt64(clamping: value)))) }
    }

    private static func addThreads(_ list: inout [TypedParameter], _ answers: Answers) {
        let threads = answers.threads.array ?? []
        guard !threads.isEmpty else { return }
        list.append(TypedParameter("iothread.count", .uint(UInt32(clamping: threads.count))))
        for thread in threads {
            guard let name = thread["id"]?.string, name.hasPrefix("iothread"), let id = UInt32(name.dropFirst(8)),
                let maximum: UInt64 = thread["poll-max-ns"]?.integer()
            else { continue }
            list.append(TypedParameter("iothread.\(id).poll-max-ns", .ullong(maximum)))
            list.append(TypedParameter("iothread.\(id).poll-grow", .uint(thread["poll-grow"]?.integer() ?? 0)))
            list.append(TypedParameter("iothread.\(id).poll-shrink", .uint(thread["poll-shrink"]?.integer() ?? 0)))
        }
    }

    private static func addDirtyRate(_ list: inout [TypedParameter], _ answers: Answers) {
        let answer = answers.dirtyRate
        let names = ["unstarted", "measuring", "measured"]
        guard let status = answer["status"]?.string, let number = names.firstIndex(of: status) else { return }
        list.append(TypedParameter("dirtyrate.calc_status", .int(Int32(number))))
        list.append(TypedParameter("dirtyrate.calc_start_time", .llong(answer["start-time"]?.int ?? 0)))
        list.append(TypedParameter("dirtyrate.calc_period", .int(answer["calc-time"]?.integer() ?? 0)))
        if number == 2, let rate = answer["dirty-rate"]?.int {
            list.append(TypedParameter("dirtyrate.megabytes_per_second", .llong(rate)))
        }
        list.append(TypedParameter("dirtyrate.calc_mode", .string(answer["mode"]?.string ?? "page-sampling")))
    }
}
