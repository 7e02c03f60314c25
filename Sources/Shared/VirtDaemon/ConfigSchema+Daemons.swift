package import VirtCore

extension ConfigSchema {
    /// The keys of a daemon's configuration file.
    package static func daemon(_ kind: ConfigKind) -> ConfigSchema {
        switch kind {
        case .driver: driver
        case .proxy: driver.adding(network)
        case .log: smallDaemon.adding(logFiles)
        case .lock: smallDaemon
        }
    }

    private static let logging = ConfigSchema(["log_level": .uint, "log_filters": .string, "log_outputs": .string])

    private static let smallDaemon = logging.adding(
        ConfigSchema(["max_clients": .uint, "admin_max_clients": .uint]))

    /// Beside libvirt's: "max_age_days" and "log_root" are those of its later versions, the others are ours.
    private static let logFiles = ConfigSchema([
        "max_size": .ulong, "max_backups": .ulong, "max_age_days": .ulong, "log_root": .string,
        "log_file_mode": .string, "log_file_group": .string, "log_format": .string,
    ])

    private static let driver = logging.adding(
        ConfigSchema([
            "unix_sock_group": .string, "unix_sock_ro_perms": .string, "unix_sock_rw_perms": .string,
            "unix_sock_admin_perms": .string, "unix_sock_dir": .string,
            "auth_unix_ro": .string, "auth_unix_rw": .string, "access_drivers": .stringOrStrings,
            "sasl_allowed_username_list": .stringOrStrings,
            "max_clients": .uint, "max_queued_clients": .uint, "max_anonymous_clients": .uint,
            "min_workers": .uint, "max_workers": .uint, "prio_workers": .uint, "max_client_requests": .uint,
            "admin_min_workers": .uint, "admin_max_workers": .uint, "admin_max_clients": .uint,
            "admin_max_queued_clients": .uint, "admin_max_client_requests": .uint,
            "audit_level": .uint, "audit_logging": .bool, "host_uuid": .string, "host_uuid_source": .string,
            "keepalive_interval": .int, "keepalive_count": .uint, "keepalive_required": .bool,
            "admin_keepalive_interval": .int, "admin_keepalive_count": .uint, "admin_keepalive_required": .bool,
            "ovs_timeout": .uint,
        ]))

    private static let network = ConfigSchema([
        "listen_tls": .bool, "listen_tcp": .bool, "tls_port": .string, "tcp_port": .string, "listen_addr": .string,
        "auth_tcp": .string, "auth_tls": .string, "tcp_min_ssf": .uint,
        "key_file": .string, "cert_file": .string, "ca_file": .string, "crl_file": .string,
        "tls_no_sanity_certificate": .bool, "tls_no_verify_certificate": .bool,
        "tls_allowed_dn_list": .stringOrStrings, "tls_priority": .string,
    ])
}
