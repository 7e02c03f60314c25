import QEMUCommand
import VirtCore
import VirtDaemon
import VirtModel
import VirtXML

/// A running guest's file in /run/libvirt/qemu, in C libvirt's format: either daemon finds the guests of the other.
struct StatusFile: Sendable {
    var state: DomainState
    var runtime: GuestRuntime
    var domain: Domain

    /// The file's bytes.
    func format() throws -> [UInt8] {
        var text = ObjectStore.header(command: "edit", name: domain.name, uuid: domain.uuid)
        text += "<domstatus state='\(state.name)' reason='\(state.reasonName)' pid='\(runtime.pid)'>\n"
        for taint in GuestRuntime.Taint.allCases where runtime.taints.contains(taint) {
            text += "  <taint flag='\(taint.rawValue)'/>\n"
        }
        text += "  <monitor path='\(runtime.monitorPath.escapedForXML)' type='unix'/>\n"
        text += threads()
        text += "  <qemuCaps>\n"
        for flag in QEMUFlag.allCases where runtime.flags.contains(flag) {
            text += "    <flag name='\(flag.rawValue)'/>\n"
        }
        text += "  </qemuCaps>\n"
        text += runtime.backup?.jobElement ?? ""
        if runtime.fakeReboot { text += "  <fakereboot/>\n" }
        text += "  <devices>\n"
        for alias in runtime.devices { text += "    <device alias='\(alias.escapedForXML)'/>\n" }
        text += "  </devices>\n"
        text += try paths()
        text += try domain.format([.status, .secure], depth: 1)
        return Array((text + "</domstatus>\n").utf8)
    }

    private func threads() -> String {
        var text = "  <vcpus>\n"
        for (index, vcpu) in runtime.vcpus.enumerated() {
            if let thread = vcpu.thread { text += "    <vcpu id='\(index)' pid='\(thread)'/>\n" }
        }
        return text + "  </vcpus>\n"
    }

    private func paths() throws -> String {
        var text = "  <libDir path='\(runtime.libraryPath.escapedForXML)'/>\n"
        text += "  <channelTargetDir path='\(runtime.channelPath.escapedForXML)'/>\n"
        text += runtime.originalCPU ?? ""
        if runtime.usesLogDaemon { text += "  <chardevStdioLogd/>\n" }
        if runtime.remembersOwner { text += "  <rememberOwner/>\n" }
        text += "  <nodename index='\(runtime.nodeIndex)'/>\n"
        text += "  <fdset index='\(runtime.descriptorSetIndex)'/>\n"
        text += try BlockJob.format(runtime.blockJobs, domain)
        text += "  <agentTimeout>\(runtime.agentTimeout)</agentTimeout>\n"
        text += try runtime.backup?.format() ?? ""
        return text
    }

    /// Reads a file that this daemon or C libvirt's wrote; unknown elements are ignored.
    static func parse(_ bytes: [UInt8]) throws -> StatusFile {
        let root = try XMLDocument.root("domstatus", of: bytes, name: "domain_status", domain: .domain)
        guard let element = root.child("domain") else {
            throw VirtError(.internalError, .domain, "no domain config")
        }
        let domain = try Domain.parse(element, flags: .status)
        guard let state = root.attribute("state"), let reason = root.attribute("reason"),
            let known = DomainState(name: state, reason: reason)
        else { throw VirtError(.internalError, .domain, "invalid domain state") }
        guard let pid = root.attribute("pid").flatMap({ Int32($0) }), pid > 0 else {
            throw VirtError(.internalError, .domain, "invalid pid")
        }
        var runtime = try readPaths(root, domain)
        runtime.pid = pid
        readLists(root, &runtime)
        readSwitches(root, &runtime)
        runtime.blockJobs = BlockJob.read(root.child("blockjobs"), domain)
        runtime.backup = BackupJob.read(root)
        runtime.ownedFiles = domain.filesToOwn + domain.deviceNodesToOwn + runtime.filesOfJobs(domain)
        runtime.displayPorts = domain.devices.graphics.compactMap {
            $0.type == .vnc || $0.type == .spice ? $0.port : nil
        }
        runtime.websocketPorts = domain.devices.graphics.compactMap {
            $0.websocketGenerated == true ? $0.websocket : nil
        }
        return StatusFile(state: known, runtime: runtime, domain: domain)
    }

    private static func readPaths(_ root: XMLNode, _ domain: Domain) throws -> GuestRuntime {
        guard let id = domain.id, id > 0 else { throw VirtError(.internalError, .domain, "missing domain id") }
        let monitor = root.child("monitor")?.attribute("path") ?? ""
        let suffix = "/monitor.sock"
        let fallback = monitor.hasSuffix(suffix) ? String(monitor.dropLast(suffix.count)) : ""
        guard let library = root.child("libDir")?.attribute("path") ?? (fallback.isEmpty ? nil : fallback) else {
            throw VirtError(.internalError, .domain, "no monitor path")
        }
        let channels = root.child("channelTargetDir")?.attribute("path") ?? ""
        return GuestRuntime(id: id, libraryPath: library, channelPath: channels)
    }

    private static func readLists(_ root: XMLNode, _ runtime: inout GuestRuntime) {
        for vcpu in root.child("vcpus")?.children("vcpu") ?? [] {
            guard let id = vcpu.attribute("id").flatMap({ Int($0) }), (0..<4096).contains(id) else { continue }
            while runtime.vcpus.count <= id { runtime.vcpus.append(.init(thread: nil, isOnline: false)) }
            runtime.vcpus[id].thread = vcpu.attribute("pid").flatMap { Int32($0) }
            runtime.vcpus[id].isOnline = true
        }
        for flag in root.child("qemuCaps")?.children("flag") ?? [] {
            if let known = flag.attribute("name").flatMap({ QEMUFlag(rawValue: $0) }) { runtime.flags.insert(known) }
        }
        runtime.devices = root.child("devices")?.children("device").compactMap { $0.attribute("alias") } ?? []
        for taint in root.children("taint") {
            if let known = taint.attribute("flag").flatMap({ GuestRuntime.Taint(rawValue: $0) }) {
                runtime.taints.insert(known)
            }
        }
    }

    private static func readSwitches(_ root: XMLNode, _ runtime: inout GuestRuntime) {
        runtime.fakeReboot = root.child("fakereboot") != nil
        runtime.usesLogDaemon = root.child("chardevStdioLogd") != nil
        runtime.remembersOwner = root.child("rememberOwner") != nil
        runtime.nodeIndex = root.child("nodename")?.attribute("index").flatMap { UInt32($0) } ?? 0
        runtime.descriptorSetIndex = root.child("fdset")?.attribute("index").flatMap { UInt32($0) } ?? 0
        runtime.agentTimeout = root.child("agentTimeout").flatMap { Int32($0.text) } ?? -2
        if let element = root.child("cpu"), let cpu: CPU = try? ElementReader.read(element, flags: .inactive) {
            runtime.originalCPU = try? cpu.formatElement(depth: 1)
        }
    }
}
