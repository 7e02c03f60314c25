import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addSmartcards() throws(VirtError) {
        for card in devices.smartcards {
            let alias = card.info.alias ?? ""
            var properties: JSONObject
            switch card.mode {
            case .host: properties = ["driver": "ccid-card-emulated", "backend": "nss-emulated"]
            case .hostCertificates:
                properties = ["driver": "ccid-card-emulated", "backend": "certificates"]
                for (index, certificate) in card.certificates.enumerated() {
                    properties.add("cert\(index + 1)", certificate)
                }
                properties.add("db", card.database ?? "/etc/pki/nssdb")
            case .passthrough:
                try add(chardev: card.source, alias)
                properties = ["driver": "ccid-card-passthru", "chardev": .string("char\(alias)")]
            }
            properties.add("id", alias)
            try addAddress(card.info, to: &properties)
            add(device: properties)
        }
    }
}
