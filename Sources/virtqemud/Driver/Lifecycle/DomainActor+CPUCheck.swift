import QEMUMonitor
import VirtCore
import VirtModel

/// The guest's processor as QEMU really made it.
extension DomainActor {
    /// Asks for all switches of the first processor: the some 400 questions that libvirt asks one after the other go out
    /// together. The guest keeps what it was defined with when QEMU does not tell.
    func checkProcessor(_ plan: inout StartPlan) async {
        let processor = "/machine/unattached/device[0]"
        guard plan.domain.os.arch == "x86_64" || plan.domain.os.arch == "i686",
            let properties = try? await ask([QMPCommand("qom-list", ["path": .string(processor)])]).first?.array
        else { return }
        let names = properties.compactMap { property -> String? in
            guard property["type"]?.string == "bool" else { return nil }
            return property["name"]?.string
        }
        let questions = names.map { name in
            QMPCommand("qom-get", ["path": .string(processor), "property": .string(name)])
        }
        guard let answers = try? await ask(questions) else { return }
        var enabled: Set<String> = []
        for (name, answer) in zip(names, answers) where answer.bool == true { enabled.insert(name) }
        live?.cpu?.update(enabled: enabled)
        plan.domain = live ?? plan.domain
    }
}

extension CPU {
    /// Notes which of the features that the definition names the guest got.
    mutating func update(enabled: Set<String>) {
        guard mode == .custom, check != CPU.Check.none || match == .exact else { return }
        for index in features.indices {
            let name = features[index].name
            let isOn = enabled.contains(name) || enabled.contains(String(name.map { $0 == "_" ? "-" : $0 }))
            switch features[index].policy {
            case .optional?: features[index].policy = isOn ? .require : .disable
            case .require?, .force?, .disable?, .forbid?, nil: break
            }
        }
    }
}
