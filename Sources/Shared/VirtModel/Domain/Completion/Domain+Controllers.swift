import VirtCore
import VirtXML

extension Domain {
    /// The controller of a kind with that number.
    package func controller(_ type: Controller.Kind, _ index: UInt32) -> Controller? {
        position(type, index).map { devices.controllers[$0] }
    }

    func hasController(_ type: Controller.Kind, _ index: UInt32) -> Bool { position(type, index) != nil }

    private func position(_ type: Controller.Kind, _ index: UInt32) -> Int? {
        devices.controllers.indices.first {
            devices.controllers[$0].type == type && devices.controllers[$0].index == index
        }
    }

    /// Adds a controller unless there is one of that kind and number; says whether it did.
    @discardableResult
    package mutating func addController(_ type: Controller.Kind, _ index: UInt32, _ model: ControllerModel?) -> Bool {
        guard !hasController(type, index) else { return false }
        devices.controllers.append(Controller(type, index: index, model: model))
        return true
    }

    /// Puts disks and controllers in libvirt's order: each kind by number or name, where its first one stood.
    mutating func sortDevices() throws {
        let controllers = devices.controllers
        devices.controllers = []
        devices.controllers.reserveCapacity(controllers.count)
        for index in controllers.indices { insertController(controllers[index]) }
        let disks = devices.disks
        devices.disks = []
        devices.disks.reserveCapacity(disks.count)
        for index in disks.indices { insertDisk(disks[index]) }
        try checkUSB()
    }

    /// Puts a disk among those on its bus, by the number in its name.
    package mutating func insertDisk(_ new: Disk) {
        let bus = new.busOrDefault
        let index = Disk.Target.index(of: new.target.dev ?? "").map { Int($0) } ?? -1
        var place: Int?
        for position in devices.disks.indices.reversed() where devices.disks[position].busOrDefault == bus {
            let other = Disk.Target.index(of: devices.disks[position].target.dev ?? "").map { Int($0) } ?? -1
            if other > index {
                place = position
            } else if place == nil {
                place = position + 1
            }
        }
        devices.disks.insert(new, at: place ?? devices.disks.count)
    }

    /// Puts a controller among its kind, by number, companions after their master; else at the end.
    package mutating func insertController(_ new: Controller) {
        var place: Int?
        for position in devices.controllers.indices.reversed() where devices.controllers[position].type == new.type {
            guard let index = new.index else {
                place = position + 1
                break
            }
            let other = devices.controllers[position].index
            let isAfter = (other.map { Int64($0) } ?? -1) > Int64(index)
            let isCompanion =
                new.info.masterStartPort == nil && devices.controllers[position].info.masterStartPort != nil
                && other == index
            if isAfter || isCompanion {
                place = position
            } else if place == nil {
                place = position + 1
            }
        }
        devices.controllers.insert(new, at: place ?? devices.controllers.count)
    }

    /// Numbers for controllers without: the lowest free one of the kind; USB 2 companions share one.
    mutating func assignControllerIndexes() {
        for position in devices.controllers.indices where devices.controllers[position].index == nil {
            let index = companionIndex(at: position) ?? freeIndex(devices.controllers[position].type)
            devices.controllers[position].index = index
        }
    }

    private func companionIndex(at position: Int) -> UInt32? {
        let controller = devices.controllers[position]
        guard controller.isUSB2, let previous = devices.controllers[..<position].last(where: { $0.type == .usb }),
            previous.isUSB2
        else { return nil }
        let isTaken = devices.controllers.contains {
            $0.type == .usb && $0.index == previous.index && $0.model == controller.model
        }
        return isTaken ? nil : previous.index
    }

    private func freeIndex(_ type: Controller.Kind) -> UInt32 {
        let used = Set(devices.controllers.filter { $0.type == type }.compactMap(\.index))
        var index: UInt32 = 0
        while used.contains(index) { index += 1 }
        return index
    }

    /// Two controllers of a kind can't have the same number; USB controllers, with their companions, are looked at
    /// when they get their ports.
    func rejectDuplicateControllers() throws {
        struct Place: Hashable {
            let type: Controller.Kind
            let index: UInt32
        }
        var seen: Set<Place> = []
        for position in devices.controllers.indices where devices.controllers[position].type != .usb {
            let place = Place(
                type: devices.controllers[position].type, index: devices.controllers[position].index ?? 0)
            if !seen.insert(place).inserted { throw duplicate(devices.controllers[position]) }
        }
    }

    private func duplicate(_ controller: Controller) -> VirtError {
        .malformed("Multiple '\(controller.type.rawValue)' controllers with index '\(controller.index ?? 0)'")
    }

    private func checkUSB() throws {
        let usb = devices.controllers.filter { $0.type == .usb }
        if usb.contains(where: { $0.model == ControllerModel.none }), usb.count > 1 {
            throw VirtError(.xmlDetail, .domain, "Can't add another USB controller: USB is disabled for this domain")
        }
        if !usb.isEmpty, usb.allSatisfy({ $0.info.masterStartPort != nil }) {
            throw VirtError(.xmlDetail, .domain, "No master USB controller specified")
        }
    }

    /// One panic device of each model.
    func rejectDuplicatePanics() throws {
        var seen: Set<Panic.Model?> = []
        for panic in devices.panics where !seen.insert(panic.model).inserted {
            throw VirtError.malformed("Multiple panic devices with model '\(panic.model?.rawValue ?? "default")'")
        }
    }
}

extension Controller {
    /// Part of a USB 2 controller with companions.
    var isUSB2: Bool {
        guard type == .usb, let model else { return false }
        return model == .ich9EHCI1 || model.isICH9Companion
    }
}
