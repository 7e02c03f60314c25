import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addNVRAM() {
        guard case .spaprVIO(let place) = devices.nvram?.info.address, let reg = place.reg else { return }
        add("-global", "spapr-nvram.reg=0x" + String(reg, radix: 16))
    }
}
