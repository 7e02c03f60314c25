import VirtCore
import VirtXML

extension DomainValidation {
    func check(_ graphics: Graphics) throws {
        switch graphics.type {
        case .spice: try checkSpice(graphics)
        case .eglHeadless: try checkHeadless(graphics)
        case .rdp, .desktop:
            throw VirtError.unsupported("unsupported graphics type '\(graphics.type.rawValue)'", .qemu)
        case .vnc, .sdl, .dbus: break
        }
        let accelerated = devices.graphics.filter { $0.gl?.enable == true || $0.type == .eglHeadless }
        if accelerated.count > 1 {
            throw VirtError.unsupported("multiple OpenGL displays are not supported by QEMU", .qemu)
        }
    }

    private func checkSpice(_ graphics: Graphics) throws {
        guard !context.spiceTLS else { return }
        if let port = graphics.tlsPort, port > 0 {
            throw VirtError.unsupported(
                "spice TLS port set in XML configuration, but TLS is disabled in qemu.conf", .qemu)
        }
        guard graphics.defaultMode == "secure" || graphics.spice.channels.contains(where: { $0.mode == "secure" })
        else {
            return
        }
        throw VirtError.unsupported(
            "spice secure channels set in XML configuration, but TLS is disabled in qemu.conf", .qemu)
    }

    private func checkHeadless(_ graphics: Graphics) throws {
        guard devices.graphics.count > 1,
            !devices.graphics.contains(where: { $0.type == .vnc || $0.type == .spice })
        else { return }
        throw VirtError.unsupported(
            "graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' graphics types", .qemu)
    }

    func checkVideos() throws {
        if devices.videos.filter(\.primary).count > 1 {
            throw VirtError.unsupported("Only one primary video device is supported")
        }
        if devices.videos.count > 1, devices.videos.contains(where: { $0.model == .none }) {
            throw VirtError.unsupported("a 'none' video type must be the only video device defined for the domain")
        }
        for (index, video) in devices.videos.enumerated() {
            let name = video.model.rawValue
            if video.acceleration?.accel3D == true, video.model != .virtio {
                throw VirtError.unsupported("3d acceleration is supported only with 'virtio' video device", .qemu)
            }
            if video.driverName == .vhostuser, video.model != .virtio {
                throw VirtError.unsupported("'vhostuser' driver is only supported with 'virtio' device", .qemu)
            }
            switch video.model {
            case .xen, .vbox, .parallels, .gop, .default:
                throw VirtError.unsupported("video type '\(name)' is not supported with QEMU", .qemu)
            case .vga, .cirrus, .vmvga, .none:
                if index > 0, video.model != .none {
                    throw VirtError.unsupported("video type '\(name)' is only valid as primary video device", .qemu)
                }
            case .ramfb:
                if video.info.address != nil {
                    throw VirtError.unsupported("address not supported for video type ramfb", .qemu)
                }
            case .qxl, .virtio, .bochs: break
            }
        }
    }
}
