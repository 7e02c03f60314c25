package import VirtXML

/// A graphics card (`<video>`).
package struct Video: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum {
        case `default`, vga, cirrus, vmvga, xen, vbox, qxl, parallels, virtio, gop, none, bochs, ramfb
    }
    package enum DriverName: String, XMLEnum { case qemu, vhostuser }
    package enum VGAConfiguration: String, XMLEnum { case io, on, off }

    package var driverName: DriverName?
    package var vgaConfiguration: VGAConfiguration?
    package var virtio = VirtioOptions()
    package var model = Model.default
    /// Memory sizes in KiB.
    package var ram: UInt32?
    package var vram: UInt32?
    package var vram64: UInt32?
    package var vgaMemory: UInt32?
    package var heads: UInt32?
    package var primary = false
    package var blob: Bool?
    package var acceleration: Acceleration?
    package var resolution: Resolution?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.group("driver") { x in
            try x.attribute("name", &driverName)
            try virtio.map(&x)
            try x.attribute("vgaconf", &vgaConfiguration)
        }
        if x.isReading, driverName == .qemu { driverName = nil }
        try x.group("model") { try mapModel(&$0) }
        try info.map(&x)
    }

    private mutating func mapModel<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &model)
        try x.attribute("ram", &ram)
        try x.attribute("vram", &vram)
        try x.attribute("vram64", &vram64)
        try x.attribute("vgamem", &vgaMemory)
        try x.attribute("heads", &heads)
        try x.attribute("primary", &primary, default: false)
        try x.attribute("blob", &blob, .onOff)
        try x.element("acceleration", &acceleration)
        try x.element("resolution", &resolution)
    }

    package struct Acceleration: Equatable, Sendable, XMLMappable {
        package var accel2D: Bool?
        package var accel3D: Bool?
        package var renderNode: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("accel3d", &accel3D)
            try x.attribute("accel2d", &accel2D)
            try x.attribute("rendernode", &renderNode)
        }
    }

    package struct Resolution: Equatable, Sendable, XMLMappable {
        package var x: UInt32 = 0
        package var y: UInt32 = 0

        package init() {}

        package mutating func map<M: ElementMapper>(_ mapper: inout M) throws {
            try mapper.required("x", &x)
            try mapper.required("y", &y)
        }
    }
}
