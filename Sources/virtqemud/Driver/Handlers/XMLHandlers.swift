import VirtCore
import VirtModel
import VirtRPC
import VirtWire
import VirtXML

/// A domain's XML, formatted once per snapshot and set of flags.
enum XMLHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.on(RemoteProgram.DomainGetXmlDesc.self) { arguments, _ in
            .init(xml: try description(registry.snapshot(arguments.dom), arguments.flags))
        }
    }

    /// virDomainXMLFlags: secure 1, inactive 2, update CPU 4, migratable 8.
    static func description(_ domain: DomainSnapshot, _ flags: UInt32) throws -> String {
        try flags.checkFlags(15, "qemuDomainGetXMLDesc")
        return try domain.text(flags) {
            let isInactive = flags & 2 != 0
            let current = try domain.current()
            let definition = isInactive ? domain.config ?? current : current
            var mapping: MappingFlags = []
            if flags & 1 != 0 { mapping.insert(.secure) }
            if isInactive || !domain.isActive { mapping.insert(.inactive) }
            if flags & 4 != 0 { mapping.insert(.updateCPU) }
            guard flags & 8 != 0 else { return try definition.format(mapping) }
            mapping.formUnion([.migratable, .secure, .inactive])
            return try definition.withoutImpliedDevices.format(mapping)
        }
    }
}
