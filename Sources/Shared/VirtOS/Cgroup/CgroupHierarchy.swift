/// Where the kernel's control groups are mounted: one tree per controller (version 1), one for all (version 2), or both,
/// as some hosts have it.
package struct CgroupHierarchy: Sendable, Equatable {
    /// A controller that a guest's group is made in. `blkio` is called `io` in version 2.
    package enum Controller: String, CaseIterable, Sendable {
        case cpu, cpuacct, cpuset, memory, devices, freezer, blkio
        case netClassifier = "net_cls"
        case perfEvent = "perf_event"

        /// The names of version 2, where it has the controller at all.
        fileprivate init?(unified name: some StringProtocol) {
            self.init(rawValue: name == "io" ? "blkio" : String(name))
        }
    }

    /// The mount points of version 1.
    package let legacy: [Controller: String]
    /// The mount point of version 2.
    package let unified: String?
    /// What version 2 answers for. It is asked first.
    package let unifiedControllers: Set<Controller>

    /// - Parameters:
    ///   - mountinfo: the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
    ///   - read: the text of a file, nil where it can't be read.
    package init(mountinfo: String, read: (String) -> String?) {
        var legacy: [Controller: String] = [:]
        var unified: String?
        for line in mountinfo.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, let dash = fields.firstIndex(of: "-"), fields.count > dash + 3 else { continue }
            let point = String(fields[4])
            switch fields[dash + 1] {
            case "cgroup2": unified = unified ?? point
            case "cgroup":
                for name in fields[dash + 3].split(separator: ",") {
                    if let controller = Controller(rawValue: String(name)), legacy[controller] == nil {
                        legacy[controller] = point
                    }
                }
            default: continue
            }
        }
        var controllers: Set<Controller> = []
        if let unified {
            let names = read("\(unified)/cgroup.controllers") ?? ""
            controllers = Set(names.split(whereSeparator: \.isWhitespace).compactMap { Controller(unified: $0) })
            // Both have no controller of that name in version 2: cpu.stat is always there, device rules are programs.
            controllers.formUnion([.cpuacct, .devices])
        }
        self.legacy = legacy.filter { !controllers.contains($0.key) }
        self.unified = unified
        unifiedControllers = controllers
    }

    /// What this host has now; nil when there are no control groups.
    package static func ofHost() -> CgroupHierarchy? {
        func read(_ path: String) -> String? {
            (try? FileSystem.read(path)).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let mountinfo = read("/proc/self/mountinfo") else { return nil }
        let hierarchy = CgroupHierarchy(mountinfo: mountinfo, read: read)
        return hierarchy.legacy.isEmpty && hierarchy.unified == nil ? nil : hierarchy
    }

    /// The mount point that a controller's files are below, and whether they are version 2's.
    package func mount(_ controller: Controller) -> (point: String, isUnified: Bool)? {
        if unifiedControllers.contains(controller), let unified { return (unified, true) }
        return legacy[controller].map { ($0, false) }
    }

    /// Every tree once.
    var mounts: [String] { Set(legacy.values).sorted() + (unified.map { [$0] } ?? []) }

    /// The group that a process is in, as the trees that a guest is put into agree on it.
    ///
    /// - Parameter text: `/proc/PID/cgroup` (cgroups(7)).
    package func path(inProcess text: String) -> String? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let names = fields[1].split(separator: ",").compactMap { Controller(rawValue: String($0)) }
            let isOurs = fields[1].isEmpty ? unified != nil : names.contains { legacy[$0] != nil }
            if isOurs { return String(fields[2]) }
        }
        return nil
    }
}

extension CgroupHierarchy {
    /// Without what an administrator does not want guests to be put in; nil when nothing is left.
    ///
    /// - Parameter names: `cgroup_controllers` of qemu.conf; nil for all.
    package func limited(to names: [String]?) -> CgroupHierarchy? {
        guard let names else { return self }
        let wanted = Set(names.compactMap { Controller(rawValue: $0) })
        let rest = CgroupHierarchy(
            legacy: legacy.filter { wanted.contains($0.key) }, unified: wanted.isEmpty ? nil : unified,
            unifiedControllers: unifiedControllers.intersection(wanted))
        return rest.legacy.isEmpty && rest.unified == nil ? nil : rest
    }

    private init(legacy: [Controller: String], unified: String?, unifiedControllers: Set<Controller>) {
        self.legacy = legacy
        self.unified = unified
        self.unifiedControllers = unifiedControllers
    }
}
