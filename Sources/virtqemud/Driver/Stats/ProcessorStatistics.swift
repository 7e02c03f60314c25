import VirtCore
import VirtOS
import VirtWire

/// virDomainGetCPUStats: the guest's processor time, as a total or for each of the host's processors.
enum ProcessorStatistics {
    /// Without control groups the kernel knows the process's time alone.
    static func answer(
        _ runtime: GuestRuntime, _ arguments: RemoteDomainGetCpuStatsArgs
    ) throws(VirtError) -> RemoteDomainGetCpuStatsRet {
        guard arguments.startCpu == -1 else { return try perProcessor(runtime, arguments) }
        let list = try total(runtime)
        guard arguments.nparams > 0 else { return .init(params: [], nparams: Int32(list.count)) }
        let shown = list.prefix(Int(clamping: arguments.nparams))
        return .init(params: Array(shown), nparams: Int32(shown.count))
    }

    private static func total(_ runtime: GuestRuntime) throws(VirtError) -> [TypedParameter] {
        let group = try runtime.requireCgroup(.cpuacct, "CPUACCT").group
        let time = try group.processorTime()
        return [
            TypedParameter("cpu_time", .ullong(time.total)), TypedParameter("user_time", .ullong(time.user)),
            TypedParameter("system_time", .ullong(time.system)),
        ]
    }

    private static func perProcessor(
        _ runtime: GuestRuntime, _ arguments: RemoteDomainGetCpuStatsArgs
    ) throws(VirtError) -> RemoteDomainGetCpuStatsRet {
        let group = try runtime.requireCgroup(.cpuacct, "CPUACCT").group
        let vcpus = runtime.vcpus.indices.filter { runtime.vcpus[$0].thread != nil }
        let times = try group.timePerProcessor()
        // How many numbers a processor has, or how many processors there are.
        if arguments.nparams == 0 { return .init(params: [], nparams: 2) }
        if arguments.ncpus == 0 { return .init(params: [], nparams: Int32(clamping: times.count)) }
        var guest = [UInt64](repeating: 0, count: times.count)
        for index in vcpus {
            let part = try runtime.cgroup?.threads(.vcpu(index)).timePerProcessor() ?? []
            for (processor, time) in part.enumerated() where guest.indices.contains(processor) {
                guest[processor] &+= time
            }
        }
        guard let first = Int(exactly: arguments.startCpu), times.indices.contains(first) else {
            throw VirtError(
                .invalidArg, .none, "start_cpu \(arguments.startCpu) larger than maximum of \(times.count - 1)")
        }
        let wanted = times.indices[first...].prefix(Int(clamping: arguments.ncpus))
        let room = min(2, Int(clamping: arguments.nparams))
        let params = wanted.flatMap { processor in
            [
                TypedParameter("cpu_time", .ullong(times[processor])),
                TypedParameter("vcpu_time", .ullong(guest[processor])),
            ].prefix(room)
        }
        return .init(params: params, nparams: Int32(room))
    }
}
