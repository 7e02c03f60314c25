import VirtCore
import VirtModel

/// Guests whose memory the host can't read.
extension CommandBuilder {
    /// What the machine is told of it.
    var launchSecurityOption: String? {
        guard domain.launchSecurity != nil else { return nil }
        return has(.confidentialGuestSupport) ? "confidential-guest-support=lsec0" : "memory-encryption=lsec0"
    }

    mutating func addLaunchSecurity() {
        guard let security = domain.launchSecurity else { return }
        switch security.type {
        case .sev: add(object: encryption(security))
        case .s390PV: add(object: ["qom-type": "s390-pv-guest", "id": "lsec0"])
        }
    }

    private func encryption(_ security: LaunchSecurity) -> JSONObject {
        var properties: JSONObject = ["qom-type": "sev-guest", "id": "lsec0"]
        properties.add("cbitpos", security.cbitPosition ?? capabilities.sev?.cbitPosition)
        properties.add("reduced-phys-bits", security.reducedPhysicalBits ?? capabilities.sev?.reducedPhysicalBits)
        properties.add("policy", security.policy)
        if security.certificate != nil {
            properties.add("dh-cert-file", environment.libraryDirectory + "/dh_cert.base64")
        }
        if security.session != nil {
            properties.add("session-file", environment.libraryDirectory + "/session.base64")
        }
        properties.add("kernel-hashes", security.kernelHashes)
        return properties
    }
}
