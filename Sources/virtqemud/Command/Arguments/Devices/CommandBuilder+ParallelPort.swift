import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addParallelPorts() throws(VirtError) {
        for parallel in devices.parallels {
            let alias = parallel.info.alias ?? ""
            try add(chardev: parallel.source, alias)
            add(device: ["driver": "isa-parallel", "chardev": .string("char\(alias)"), "id": .string(alias)])
        }
    }
}
