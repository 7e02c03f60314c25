package import VirtCore

/// Shares, quotas and limits. Each number is written as libvirt's API has it and read back the same.
extension Cgroup {
    /// What a group of threads may use in each period; libvirt's `<period>` and `<quota>`.
    package struct Bandwidth: Sendable, Equatable {
        /// Microseconds.
        package var period: UInt64
        /// Microseconds of processor time; -1 without a limit.
        package var quota: Int64

        package init(period: UInt64, quota: Int64) {
            self.period = period
            self.quota = quota
        }
    }

    /// The highest quota that libvirt knows, which means none.
    package static let noQuota: Int64 = 17_592_186_044_415
    /// VIR_DOMAIN_MEMORY_PARAM_UNLIMITED, in KiB.
    package static let unlimited: UInt64 = 9_007_199_254_740_991

    /// The trees disagree on how files are called, and the kernel on which of them it has.
    private func required(
        _ controller: Controller, _ legacy: String, _ unified: String
    ) throws(VirtError) -> (file: String, isUnified: Bool) {
        guard let file = file(controller, legacy, unified), let mount = hierarchy.mount(controller) else {
            throw VirtError(.operationInvalid, .cgroup, "cgroup \(controller.rawValue) controller is not mounted")
        }
        return (file, mount.isUnified)
    }

    // MARK: Processors

    package func shares() throws(VirtError) -> UInt64 {
        try Self.number(required(.cpu, "cpu.shares", "cpu.weight").file)
    }

    package func setShares(_ shares: UInt64) throws(VirtError) {
        let (file, isUnified) = try required(.cpu, "cpu.shares", "cpu.weight")
        let range: ClosedRange<UInt64> = isUnified ? 1...10_000 : 2...262_144
        guard range.contains(shares) else {
            throw VirtError(
                .invalidArg, .cgroup,
                "shares '\(shares)' must be in range [\(range.lowerBound), \(range.upperBound)]")
        }
        try Self.write("\(shares)", to: file)
    }

    package func bandwidth() throws(VirtError) -> Bandwidth {
        let (file, isUnified) = try required(.cpu, "cpu.cfs_period_us", "cpu.max")
        guard isUnified else {
            let quota = try required(.cpu, "cpu.cfs_quota_us", "cpu.max").file
            return try Bandwidth(period: Self.number(file), quota: Self.number(quota))
        }
        let fields = try Self.read(file).split(separator: " ")
        guard fields.count == 2, let period = UInt64(fields[1]) else {
            throw VirtError(.internalError, .cgroup, "Invalid 'cpu.max' data.")
        }
        return Bandwidth(period: period, quota: Int64(fields[0]) ?? -1)
    }

    /// Sets what is given. A new period that the kernel refuses for its quota leaves the old one.
    package func setBandwidth(period: UInt64?, quota: Int64?) throws(VirtError) {
        let (file, isUnified) = try required(.cpu, "cpu.cfs_period_us", "cpu.max")
        let quota = quota.map { $0 < 0 || $0 == Self.noQuota ? -1 : $0 }
        if isUnified {
            let now = try bandwidth()
            let limit = quota ?? now.quota
            return try Self.write("\(limit < 0 ? "max" : "\(limit)") \(period ?? now.period)", to: file)
        }
        if let period { try Self.write("\(period)", to: file) }
        if let quota { try Self.write("\(quota)", to: required(.cpu, "cpu.cfs_quota_us", "cpu.max").file) }
    }

    package func setProcessors(_ list: String) throws(VirtError) {
        try Self.write(list, to: required(.cpuset, "cpuset.cpus", "cpuset.cpus").file)
    }

    package func setMemoryNodes(_ list: String) throws(VirtError) {
        try Self.write(list, to: required(.cpuset, "cpuset.mems", "cpuset.mems").file)
    }

    /// Memory moves along when its nodes change. Version 2 always does so.
    package func migrateMemory() throws(VirtError) {
        let (file, isUnified) = try required(.cpuset, "cpuset.memory_migrate", "")
        if !isUnified { try Self.write("1", to: file) }
    }

    // MARK: Memory

    /// KiB, or nil for no limit.
    package func setMemory(hard: UInt64?) throws(VirtError) {
        try setMemory(hard, required(.memory, "memory.limit_in_bytes", "memory.max"))
    }

    /// KiB, or nil for no limit.
    package func setMemory(soft: UInt64?) throws(VirtError) {
        try setMemory(soft, required(.memory, "memory.soft_limit_in_bytes", "memory.high"))
    }

    /// Memory and swap together in KiB, nil for no limit; version 2 limits swap alone, so that it is set with the
    /// memory's limit in mind.
    package func setMemory(swap: UInt64?, hard: UInt64?) throws(VirtError) {
        let place = try required(.memory, "memory.memsw.limit_in_bytes", "memory.swap.max")
        guard place.isUnified, let swap, let hard else { return try setMemory(swap, place) }
        try setMemory(swap > hard ? swap - hard : 0, place)
    }

    private func setMemory(_ kibibytes: UInt64?, _ place: (file: String, isUnified: Bool)) throws(VirtError) {
        guard let kibibytes, kibibytes < Self.unlimited else {
            return try Self.write(place.isUnified ? "max" : "-1", to: place.file)
        }
        // Less than 2^53 KiB: no overflow.
        try Self.write("\(kibibytes << 10)", to: place.file)
    }

    // MARK: Statistics

    /// Nanoseconds of processor time so far.
    package struct ProcessorTime: Sendable, Equatable {
        package var total: UInt64
        package var user: UInt64
        package var system: UInt64
    }

    package func processorTime() throws(VirtError) -> ProcessorTime {
        let (file, isUnified) = try required(.cpuacct, "cpuacct.stat", "cpu.stat")
        let fields = Self.fields(try Self.read(file))
        if isUnified {
            func nanoseconds(_ name: String) -> UInt64 { (fields[name] ?? 0) &* 1000 }
            return ProcessorTime(
                total: nanoseconds("usage_usec"), user: nanoseconds("user_usec"), system: nanoseconds("system_usec"))
        }
        // In ticks of 10 ms.
        func nanoseconds(_ name: String) -> UInt64 { (fields[name] ?? 0) &* 10_000_000 }
        return try ProcessorTime(
            total: Self.number(required(.cpuacct, "cpuacct.usage", "").file),
            user: nanoseconds("user"), system: nanoseconds("system"))
    }

    /// Nanoseconds of each processor; only version 1 counts them.
    package func timePerProcessor() throws(VirtError) -> [UInt64] {
        let (file, isUnified) = try required(.cpuacct, "cpuacct.usage_percpu", "")
        guard !isUnified else {
            throw VirtError(
                .operationUnsupported, .cgroup,
                "operation 'getCpuacctPercpuUsage' not supported for backend 'cgroup V2'")
        }
        return try Self.read(file).split(separator: " ").map { UInt64($0) ?? 0 }
    }

    static func fields(_ text: String) -> [String: UInt64] {
        var fields: [String: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ")
            if parts.count == 2, let value = UInt64(parts[1]) { fields[String(parts[0])] = value }
        }
        return fields
    }

    static func number<Number: FixedWidthInteger>(_ file: String) throws(VirtError) -> Number {
        let text = try read(file)
        guard let number = Number(text) else {
            throw VirtError(.internalError, .cgroup, "Unable to parse '\(text)' as an integer")
        }
        return number
    }
}
