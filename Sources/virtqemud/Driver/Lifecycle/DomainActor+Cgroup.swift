import Glibc
import VirtCore
import VirtModel
import VirtOS

/// The guest's processes in the host's control groups.
extension DomainActor {
    /// Puts the waiting process into the guest's group. A host that has no control groups, or lets nobody make any, is
    /// one where a guest runs without, as with libvirt.
    func enterCgroup(_ pid: Int32, _ group: GuestCgroup?, _ domain: Domain) async throws {
        guard let group else { return try Self.requireNoLimits(domain) }
        do {
            try await BlockingPool.shared.run { try group.enter(pid, domain) }
            runtime?.cgroup = group
        } catch let error as VirtError where [ENXIO, EPERM, EACCES, EROFS].contains(error.int1) {
            Self.log.warning("guest '\(name)' runs without control groups: \(error.message)")
            try Self.requireNoLimits(domain)
        }
    }

    /// Where the guest's group is to be; nil when the host has no control groups or the configuration wants none.
    func plannedCgroup(_ domain: Domain) throws -> GuestCgroup? {
        guard !driver.paths.isSession, let id = runtime?.id,
            let hierarchy = CgroupHierarchy.ofHost()?.limited(to: driver.configuration.cgroupControllers)
        else { return nil }
        return try GuestCgroup(hierarchy, partition: domain.resource.partition ?? "/machine", id: id, name: name)
    }

    /// The group of a guest that was found running.
    func findCgroup() async {
        guard !driver.paths.isSession, let runtime else { return }
        let (controllers, name) = (driver.configuration.cgroupControllers, self.name)
        let found = try? await BlockingPool.shared.run { () -> GuestCgroup? in
            guard let hierarchy = CgroupHierarchy.ofHost()?.limited(to: controllers),
                let text = ProcFile.text("/proc/\(runtime.pid)/cgroup")
            else { return nil }
            return GuestCgroup(hierarchy, process: text, id: runtime.id, name: name)
        }
        self.runtime?.cgroup = found ?? nil
    }

    private static func requireNoLimits(_ domain: Domain) throws(VirtError) {
        for controller in [Cgroup.Controller.blkio, .memory, .cpu] { try domain.requireNothing(of: controller) }
    }

    /// Gives each of the guest's threads its group, its processors and its scheduler.
    func placeThreads(_ domain: Domain) async throws {
        guard let runtime else { return }
        try await BlockingPool.shared.run {
            try runtime.place(.emulator, runtime.pid, domain)
            for (index, vcpu) in runtime.vcpus.enumerated() {
                if let thread = vcpu.thread { try runtime.place(.vcpu(index), thread, domain) }
            }
            for thread in runtime.ioThreads { try runtime.place(.iothread(thread.id), thread.thread, domain) }
        }
    }

    /// Threads that QEMU started or ended since `before` get their groups, or lose them.
    func placeNewThreads(since before: GuestRuntime) async throws {
        guard let runtime, let domain = live else { return }
        try await BlockingPool.shared.run {
            for (index, vcpu) in runtime.vcpus.enumerated() {
                let old = before.vcpus.indices.contains(index) ? before.vcpus[index].thread : nil
                guard vcpu.thread != old else { continue }
                guard let thread = vcpu.thread else {
                    _ = runtime.cgroup?.threads(.vcpu(index)).remove()
                    continue
                }
                try runtime.place(.vcpu(index), thread, domain)
            }
            for thread in runtime.ioThreads where !before.ioThreads.contains(where: { $0.id == thread.id }) {
                try runtime.place(.iothread(thread.id), thread.thread, domain)
            }
            for thread in before.ioThreads where !runtime.ioThreads.contains(where: { $0.id == thread.id }) {
                _ = runtime.cgroup?.threads(.iothread(thread.id)).remove()
            }
        }
    }
}

extension GuestRuntime {
    fileprivate func place(_ threads: GuestCgroup.Threads, _ thread: Int32, _ domain: Domain) throws {
        let processors = domain.processors(of: threads)
        try cgroup?.place(threads, thread, domain, processors: processors)
        if let processors {
            let count = ProcessorSet.hostCount
            try ProcessorSet(processors.members.map { Int($0) }, count: count).apply(to: thread)
        }
        if let scheduler = domain.cpuTuning.scheduler(of: threads) { try scheduler.apply(to: thread) }
    }
}

extension Domain {
    /// The host's processors that the definition binds threads to.
    fileprivate func processors(of threads: GuestCgroup.Threads) -> BitSet? {
        let pin: BitSet? =
            switch threads {
            case .emulator: cpuTuning.emulatorPin
            case .vcpu(let index): cpuTuning.vcpuPins.first { $0.vcpu == UInt32(clamping: index) }?.cpuset
            case .iothread(let id): cpuTuning.iothreadPins.first { $0.iothread == id }?.cpuset
            }
        return pin ?? vcpu.cpuset
    }
}

/// A scheduling policy of sched(7).
private struct ThreadScheduler {
    let policy: CPUTuning.Scheduler
    let priority: Int32?

    func apply(to thread: Int32) throws(VirtError) {
        // The C library shows Swift only the policies of POSIX; Linux has SCHED_BATCH and SCHED_IDLE besides.
        let number: Int32 =
            switch policy {
            case .other: SCHED_OTHER
            case .batch: 3
            case .idle: 5
            case .fifo: SCHED_FIFO
            case .rr: SCHED_RR
            }
        var parameter = sched_param()
        parameter.sched_priority = priority ?? 0
        guard unsafe sched_setscheduler(thread, number, &parameter) == 0 else {
            throw .system(errno, .none, "Cannot set scheduler parameters for pid \(thread)")
        }
    }
}

extension CPUTuning {
    fileprivate func scheduler(of threads: GuestCgroup.Threads) -> ThreadScheduler? {
        switch threads {
        // libvirt sets the emulator's once all its threads are there, and only for its first thread.
        case .emulator:
            emulatorScheduler.map { ThreadScheduler(policy: $0.scheduler, priority: $0.priority) }
        case .vcpu(let index):
            vcpuSchedulers.first { $0.vcpus.contains(UInt32(clamping: index)) }
                .map { ThreadScheduler(policy: $0.scheduler, priority: $0.priority) }
        case .iothread(let id):
            iothreadSchedulers.first { $0.iothreads.contains(id) }
                .map { ThreadScheduler(policy: $0.scheduler, priority: $0.priority) }
        }
    }
}
