// The error codes of libvirt 9.0.0 (virErrorNumber).

extension VirtError.Code {
    /// VIR_ERR_OK
    package static let ok = Self(rawValue: 0)
    /// VIR_ERR_INTERNAL_ERROR
    package static let internalError = Self(rawValue: 1)
    /// VIR_ERR_NO_MEMORY
    package static let noMemory = Self(rawValue: 2)
    /// VIR_ERR_NO_SUPPORT
    package static let noSupport = Self(rawValue: 3)
    /// VIR_ERR_UNKNOWN_HOST
    package static let unknownHost = Self(rawValue: 4)
    /// VIR_ERR_NO_CONNECT
    package static let noConnect = Self(rawValue: 5)
    /// VIR_ERR_INVALID_CONN
    package static let invalidConn = Self(rawValue: 6)
    /// VIR_ERR_INVALID_DOMAIN
    package static let invalidDomain = Self(rawValue: 7)
    /// VIR_ERR_INVALID_ARG
    package static let invalidArg = Self(rawValue: 8)
    /// VIR_ERR_OPERATION_FAILED
    package static let operationFailed = Self(rawValue: 9)
    /// VIR_ERR_GET_FAILED
    package static let getFailed = Self(rawValue: 10)
    /// VIR_ERR_POST_FAILED
    package static let postFailed = Self(rawValue: 11)
    /// VIR_ERR_HTTP_ERROR
    package static let httpError = Self(rawValue: 12)
    /// VIR_ERR_SEXPR_SERIAL
    package static let sexprSerial = Self(rawValue: 13)
    /// VIR_ERR_NO_XEN
    package static let noXen = Self(rawValue: 14)
    /// VIR_ERR_XEN_CALL
    package static let xenCall = Self(rawValue: 15)
    /// VIR_ERR_OS_TYPE
    package static let osType = Self(rawValue: 16)
    /// VIR_ERR_NO_KERNEL
    package static let noKernel = Self(rawValue: 17)
    /// VIR_ERR_NO_ROOT
    package static let noRoot = Self(rawValue: 18)
    /// VIR_ERR_NO_SOURCE
    package static let noSource = Self(rawValue: 19)
    /// VIR_ERR_NO_TARGET
    package static let noTarget = Self(rawValue: 20)
    /// VIR_ERR_NO_NAME
    package static let noName = Self(rawValue: 21)
    /// VIR_ERR_NO_OS
    package static let noOs = Self(rawValue: 22)
    /// VIR_ERR_NO_DEVICE
    package static let noDevice = Self(rawValue: 23)
    /// VIR_ERR_NO_XENSTORE
    package static let noXenstore = Self(rawValue: 24)
    /// VIR_ERR_DRIVER_FULL
    package static let driverFull = Self(rawValue: 25)
    /// VIR_ERR_CALL_FAILED
    package static let callFailed = Self(rawValue: 26)
    /// VIR_ERR_XML_ERROR
    package static let xmlError = Self(rawValue: 27)
    /// VIR_ERR_DOM_EXIST
    package static let domExist = Self(rawValue: 28)
    /// VIR_ERR_OPERATION_DENIED
    package static let operationDenied = Self(rawValue: 29)
    /// VIR_ERR_OPEN_FAILED
    package static let openFailed = Self(rawValue: 30)
    /// VIR_ERR_READ_FAILED
    package static let readFailed = Self(rawValue: 31)
    /// VIR_ERR_PARSE_FAILED
    package static let parseFailed = Self(rawValue: 32)
    /// VIR_ERR_CONF_SYNTAX
    package static let confSyntax = Self(rawValue: 33)
    /// VIR_ERR_WRITE_FAILED
    package static let writeFailed = Self(rawValue: 34)
    /// VIR_ERR_XML_DETAIL
    package static let xmlDetail = Self(rawValue: 35)
    /// VIR_ERR_INVALID_NETWORK
    package static let invalidNetwork = Self(rawValue: 36)
    /// VIR_ERR_NETWORK_EXIST
    package static let networkExist = Self(rawValue: 37)
    /// VIR_ERR_SYSTEM_ERROR
    package static let systemError = Self(rawValue: 38)
    /// VIR_ERR_RPC
    package static let rpc = Self(rawValue: 39)
    /// VIR_ERR_GNUTLS_ERROR
    package static let gnutlsError = Self(rawValue: 40)
    /// VIR_WAR_NO_NETWORK
    package static let warNoNetwork = Self(rawValue: 41)
    /// VIR_ERR_NO_DOMAIN
    package static let noDomain = Self(rawValue: 42)
    /// VIR_ERR_NO_NETWORK
    package static let noNetwork = Self(rawValue: 43)
    /// VIR_ERR_INVALID_MAC
    package static let invalidMac = Self(rawValue: 44)
    /// VIR_ERR_AUTH_FAILED
    package static let authFailed = Self(rawValue: 45)
    /// VIR_ERR_INVALID_STORAGE_POOL
    package static let invalidStoragePool = Self(rawValue: 46)
    /// VIR_ERR_INVALID_STORAGE_VOL
    package static let invalidStorageVol = Self(rawValue: 47)
    /// VIR_WAR_NO_STORAGE
    package static let warNoStorage = Self(rawValue: 48)
    /// VIR_ERR_NO_STORAGE_POOL
    package static let noStoragePool = Self(rawValue: 49)
    /// VIR_ERR_NO_STORAGE_VOL
    package static let noStorageVol = Self(rawValue: 50)
    /// VIR_WAR_NO_NODE
    package static let warNoNode = Self(rawValue: 51)
    /// VIR_ERR_INVALID_NODE_DEVICE
    package static let invalidNodeDevice = Self(rawValue: 52)
    /// VIR_ERR_NO_NODE_DEVICE
    package static let noNodeDevice = Self(rawValue: 53)
    /// VIR_ERR_NO_SECURITY_MODEL
    package static let noSecurityModel = Self(rawValue: 54)
    /// VIR_ERR_OPERATION_INVALID
    package static let operationInvalid = Self(rawValue: 55)
    /// VIR_WAR_NO_INTERFACE
    package static let warNoInterface = Self(rawValue: 56)
    /// VIR_ERR_NO_INTERFACE
    package static let noInterface = Self(rawValue: 57)
    /// VIR_ERR_INVALID_INTERFACE
    package static let invalidInterface = Self(rawValue: 58)
    /// VIR_ERR_MULTIPLE_INTERFACES
    package static let multipleInterfaces = Self(rawValue: 59)
    /// VIR_WAR_NO_NWFILTER
    package static let warNoNwfilter = Self(rawValue: 60)
    /// VIR_ERR_INVALID_NWFILTER
    package static let invalidNwfilter = Self(rawValue: 61)
    /// VIR_ERR_NO_NWFILTER
    package static let noNwfilter = Self(rawValue: 62)
    /// VIR_ERR_BUILD_FIREWALL
    package static let buildFirewall = Self(rawValue: 63)
    /// VIR_WAR_NO_SECRET
    package static let warNoSecret = Self(rawValue: 64)
    /// VIR_ERR_INVALID_SECRET
    package static let invalidSecret = Self(rawValue: 65)
    /// VIR_ERR_NO_SECRET
    package static let noSecret = Self(rawValue: 66)
    /// VIR_ERR_CONFIG_UNSUPPORTED
    package static let configUnsupported = Self(rawValue: 67)
    /// VIR_ERR_OPERATION_TIMEOUT
    package static let operationTimeout = Self(rawValue: 68)
    /// VIR_ERR_MIGRATE_PERSIST_FAILED
    package static let migratePersistFailed = Self(rawValue: 69)
    /// VIR_ERR_HOOK_SCRIPT_FAILED
    package static let hookScriptFailed = Self(rawValue: 70)
    /// VIR_ERR_INVALID_DOMAIN_SNAPSHOT
    package static let invalidDomainSnapshot = Self(rawValue: 71)
    /// VIR_ERR_NO_DOMAIN_SNAPSHOT
    package static let noDomainSnapshot = Self(rawValue: 72)
    /// VIR_ERR_INVALID_STREAM
    package static let invalidStream = Self(rawValue: 73)
    /// VIR_ERR_ARGUMENT_UNSUPPORTED
    package static let argumentUnsupported = Self(rawValue: 74)
    /// VIR_ERR_STORAGE_PROBE_FAILED
    package static let storageProbeFailed = Self(rawValue: 75)
    /// VIR_ERR_STORAGE_POOL_BUILT
    package static let storagePoolBuilt = Self(rawValue: 76)
    /// VIR_ERR_SNAPSHOT_REVERT_RISKY
    package static let snapshotRevertRisky = Self(rawValue: 77)
    /// VIR_ERR_OPERATION_ABORTED
    package static let operationAborted = Self(rawValue: 78)
    /// VIR_ERR_AUTH_CANCELLED
    package static let authCancelled = Self(rawValue: 79)
    /// VIR_ERR_NO_DOMAIN_METADATA
    package static let noDomainMetadata = Self(rawValue: 80)
    /// VIR_ERR_MIGRATE_UNSAFE
    package static let migrateUnsafe = Self(rawValue: 81)
    /// VIR_ERR_OVERFLOW
    package static let overflow = Self(rawValue: 82)
    /// VIR_ERR_BLOCK_COPY_ACTIVE
    package static let blockCopyActive = Self(rawValue: 83)
    /// VIR_ERR_OPERATION_UNSUPPORTED
    package static let operationUnsupported = Self(rawValue: 84)
    /// VIR_ERR_SSH
    package static let ssh = Self(rawValue: 85)
    /// VIR_ERR_AGENT_UNRESPONSIVE
    package static let agentUnresponsive = Self(rawValue: 86)
    /// VIR_ERR_RESOURCE_BUSY
    package static let resourceBusy = Self(rawValue: 87)
    /// VIR_ERR_ACCESS_DENIED
    package static let accessDenied = Self(rawValue: 88)
    /// VIR_ERR_DBUS_SERVICE
    package static let dbusService = Self(rawValue: 89)
    /// VIR_ERR_STORAGE_VOL_EXIST
    package static let storageVolExist = Self(rawValue: 90)
    /// VIR_ERR_CPU_INCOMPATIBLE
    package static let cpuIncompatible = Self(rawValue: 91)
    /// VIR_ERR_XML_INVALID_SCHEMA
    package static let xmlInvalidSchema = Self(rawValue: 92)
    /// VIR_ERR_MIGRATE_FINISH_OK
    package static let migrateFinishOk = Self(rawValue: 93)
    /// VIR_ERR_AUTH_UNAVAILABLE
    package static let authUnavailable = Self(rawValue: 94)
    /// VIR_ERR_NO_SERVER
    package static let noServer = Self(rawValue: 95)
    /// VIR_ERR_NO_CLIENT
    package static let noClient = Self(rawValue: 96)
    /// VIR_ERR_AGENT_UNSYNCED
    package static let agentUnsynced = Self(rawValue: 97)
    /// VIR_ERR_LIBSSH
    package static let libssh = Self(rawValue: 98)
    /// VIR_ERR_DEVICE_MISSING
    package static let deviceMissing = Self(rawValue: 99)
    /// VIR_ERR_INVALID_NWFILTER_BINDING
    package static let invalidNwfilterBinding = Self(rawValue: 100)
    /// VIR_ERR_NO_NWFILTER_BINDING
    package static let noNwfilterBinding = Self(rawValue: 101)
    /// VIR_ERR_INVALID_DOMAIN_CHECKPOINT
    package static let invalidDomainCheckpoint = Self(rawValue: 102)
    /// VIR_ERR_NO_DOMAIN_CHECKPOINT
    package static let noDomainCheckpoint = Self(rawValue: 103)
    /// VIR_ERR_NO_DOMAIN_BACKUP
    package static let noDomainBackup = Self(rawValue: 104)
    /// VIR_ERR_INVALID_NETWORK_PORT
    package static let invalidNetworkPort = Self(rawValue: 105)
    /// VIR_ERR_NETWORK_PORT_EXIST
    package static let networkPortExist = Self(rawValue: 106)
    /// VIR_ERR_NO_NETWORK_PORT
    package static let noNetworkPort = Self(rawValue: 107)
    /// VIR_ERR_NO_HOSTNAME
    package static let noHostname = Self(rawValue: 108)
    /// VIR_ERR_CHECKPOINT_INCONSISTENT
    package static let checkpointInconsistent = Self(rawValue: 109)
    /// VIR_ERR_MULTIPLE_DOMAINS
    package static let multipleDomains = Self(rawValue: 110)
}
