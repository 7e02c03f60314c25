import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addVideos() throws(VirtError) {
        for video in devices.videos where video.driverName == .vhostuser {
            guard let alias = video.info.alias, let descriptor = environment.vhostUserDescriptors[alias] else {
                throw VirtError(.internalError, .qemu, "Attempt to pass closed vhostuser FD")
            }
            add("-chardev", "socket,id=chr-vu-\(alias),fd=\(descriptor)")
        }
        for video in devices.videos where video.model != .none {
            addZPCI(video.info)
            add(device: try videoDevice(video))
        }
    }

    private func videoDevice(_ video: Video) throws(VirtError) -> JSONObject {
        var properties: JSONObject = ["driver": .string(try videoDriver(video))]
        if video.model == .virtio { addVirtio(video.virtio, to: &properties) }
        properties.add("id", video.info.alias)
        switch video.model {
        case .qxl:
            properties.add("max_outputs", video.heads)
            properties.add("ram_size", video.ram.map { UInt64($0) * 1024 })
            properties.add("vram_size", video.vram.map { UInt64($0) * 1024 })
            properties.add("vram64_size_mb", (video.vram64 ?? 0) / 1024)
            properties.add("vgamem_mb", video.vgaMemory.map { $0 / 1024 })
        case .virtio:
            if has(.virtioGpuVirgl), video.driverName != .vhostuser {
                properties.add("virgl", video.acceleration?.accel3D)
            }
            if video.blob == true { properties.add("blob", true) }
            properties.add("max_outputs", video.heads)
            if video.driverName == .vhostuser { properties.add("chardev", "chr-vu-\(video.info.alias ?? "")") }
        case .vga, .vmvga: properties.add("vgamem_mb", video.vram.map { $0 / 1024 })
        case .bochs: properties.add("vgamem", video.vram.map { UInt64($0) * 1024 })
        default: break
        }
        if let resolution = video.resolution {
            properties.add("xres", resolution.x)
            properties.add("yres", resolution.y)
        }
        try addAddress(video.info, to: &properties)
        return properties
    }

    private func videoDriver(_ video: Video) throws(VirtError) -> String {
        let isPrimary = video.primary
        switch video.model {
        case .vga: return "VGA"
        case .cirrus: return "cirrus-vga"
        case .vmvga: return "vmware-svga"
        case .qxl: return isPrimary ? "qxl-vga" : "qxl"
        case .bochs: return "bochs-display"
        case .ramfb: return "ramfb"
        case .virtio: return virtioVideoDriver(video, isPrimary)
        case .default, .xen, .vbox, .parallels, .gop, .none:
            throw VirtError(
                .configUnsupported, .qemu, "video type '\(video.model.rawValue)' is not supported with QEMU")
        }
    }

    private func virtioVideoDriver(_ video: Video, _ isPrimary: Bool) -> String {
        let isVGA = isPrimary && has(.virtioVga)
        if video.driverName == .vhostuser {
            return isVGA ? "vhost-user-vga" : virtioDriver("vhost-user-gpu", video.info)
        }
        let isAccelerated = video.acceleration?.accel3D == true
        if isVGA { return isAccelerated && has(.virtioVgaGl) ? "virtio-vga-gl" : "virtio-vga" }
        if isAccelerated, has(.virtioGpuGlPci), case .pci = video.info.address { return "virtio-gpu-gl-pci" }
        return virtioDriver("virtio-gpu", video.info)
    }
}
