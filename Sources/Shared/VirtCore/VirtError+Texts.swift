/// The text class of one error code: what libvirt prints for it without and with the caller's detail.
struct ErrorText: Sendable {
    /// The whole message when there is no detail.
    let bare: String
    /// The message with `%s` where the detail goes.
    let pattern: String

    init(_ bare: String, _ pattern: String? = nil) {
        self.bare = bare
        self.pattern = pattern ?? bare + ": %s"
    }

    /// The pattern with `detail` in its place.
    func filled(with detail: String) -> String {
        guard pattern != "%s" else { return detail }
        guard pattern.hasSuffix("%s") else { return filledInside(detail) }
        return pattern.dropLast(2) + detail
    }

    private func filledInside(_ detail: String) -> String {
        var text = ""
        var rest = Substring(pattern)
        while let character = rest.popFirst() {
            if character == "%", rest.first == "s" {
                rest.removeFirst()
                text += detail
            } else {
                text.append(character)
            }
        }
        return text
    }
}

extension ErrorText {
    /// The class of a code; codes that nobody assigned get libvirt's internal error class.
    static func text(for code: VirtError.Code) -> ErrorText {
        let index = Int(code.rawValue)
        return table.indices.contains(index) ? table[index] : table[1]
    }

    /// Indexed by error number.
    private static let table: [ErrorText] = [
        // 0
        .init("no error"),
        .init("internal error"),
        .init("out of memory"),
        .init("this function is not supported by the connection driver"),
        .init("unknown host", "unknown host %s"),
        .init("no connection driver available", "no connection driver available for %s"),
        .init("invalid connection pointer in", "invalid connection pointer in %s"),
        .init("invalid domain pointer in", "invalid domain pointer in %s"),
        .init("invalid argument"),
        .init("operation failed"),
        // 10
        .init("GET operation failed"),
        .init("POST operation failed"),
        .init("got unknown HTTP error code", "got unknown HTTP error code %s"),
        .init("failed to serialize S-Expr"),
        .init("could not use Xen hypervisor entry", "could not use Xen hypervisor entry %s"),
        .init("failed Xen syscall", "failed Xen syscall %s"),
        .init("unknown OS type", "unknown OS type %s"),
        .init("missing kernel information"),
        .init("missing root device information", "missing root device information in %s"),
        .init("missing source information for device", "missing source information for device %s"),
        // 20
        .init("missing target information for device", "missing target information for device %s"),
        .init("missing name information", "missing name information in %s"),
        .init("missing operating system information", "missing operating system information for %s"),
        .init("missing devices information", "missing devices information for %s"),
        .init("could not connect to Xen Store", "could not connect to Xen Store %s"),
        .init("too many drivers registered", "too many drivers registered in %s"),
        .init("library call failed"),
        .init("XML description is invalid or not well formed", "XML error: %s"),
        .init("this domain exists already", "domain %s exists already"),
        .init("operation forbidden for read only access", "operation forbidden: %s"),
        // 30
        .init("failed to open configuration file", "failed to open configuration file %s"),
        .init("failed to read configuration file", "failed to read configuration file %s"),
        .init("failed to parse configuration file", "failed to parse configuration file %s"),
        .init("configuration file syntax error"),
        .init("failed to write configuration file"),
        .init("parser error", "%s"),
        .init("invalid network pointer in", "invalid network pointer in %s"),
        .init("this network exists already", "network %s exists already"),
        .init("system call error", "%s"),
        .init("RPC error", "%s"),
        // 40
        .init("GNUTLS call error", "%s"),
        .init("Failed to find the network"),
        .init("Domain not found"),
        .init("Network not found"),
        .init("invalid MAC address"),
        .init("authentication failed"),
        .init("invalid storage pool pointer in", "invalid storage pool pointer in %s"),
        .init("invalid storage volume pointer in", "invalid storage volume pointer in %s"),
        .init("Failed to find a storage driver"),
        .init("Storage pool not found"),
        // 50
        .init("Storage volume not found"),
        .init("Failed to find a node driver"),
        .init("invalid node device pointer", "invalid node device pointer in %s"),
        .init("Node device not found"),
        .init("Security model not found"),
        .init("Requested operation is not valid"),
        .init("Failed to find the interface"),
        .init("Interface not found"),
        .init("invalid interface pointer in", "invalid interface pointer in %s"),
        .init("multiple matching interfaces found"),
        // 60
        .init("Failed to start the nwfilter driver"),
        .init("Invalid network filter"),
        .init("Network filter not found"),
        .init("Error while building firewall"),
        .init("Failed to find a secret storage driver"),
        .init("Invalid secret"),
        .init("Secret not found"),
        .init("unsupported configuration"),
        .init("Timed out during operation"),
        .init("Failed to make domain persistent after migration"),
        // 70
        .init("Hook script execution failed"),
        .init("Invalid domain snapshot"),
        .init("Domain snapshot not found"),
        .init("invalid stream pointer", "invalid stream pointer in %s"),
        .init("argument unsupported"),
        .init("Storage pool probe failed"),
        .init("Storage pool already built"),
        .init("revert requires force"),
        .init("operation aborted"),
        .init("authentication cancelled"),
        // 80
        .init("metadata not found"),
        .init("Unsafe migration"),
        .init("numerical overflow"),
        .init("block copy still active"),
        .init("Operation not supported"),
        .init("SSH transport error"),
        .init("Guest agent is not responding"),
        .init("resource busy"),
        .init("access denied"),
        .init("error from service"),
        // 90
        .init("this storage volume exists already", "storage volume %s exists already"),
        .init("the CPU is incompatible with host CPU"),
        .init("XML document failed to validate against schema"),
        .init("migration successfully aborted"),
        .init("authentication unavailable"),
        .init("Server not found"),
        .init("Client not found"),
        .init("guest agent replied with wrong id to guest-sync command"),
        .init("libssh transport error"),
        .init("device not found"),
        // 100
        .init("Invalid network filter binding"),
        .init("Network filter binding not found"),
        .init("Invalid domain checkpoint"),
        .init("Domain checkpoint not found"),
        .init("Domain backup job id not found"),
        .init("Invalid network port pointer"),
        .init("this network port exists already", "network port %s exists already"),
        .init("network port not found"),
        .init("no hostname found"),
        .init("checkpoint inconsistent"),
        // 110
        .init("multiple matching domains found"),
    ]
}
