// The error domains of libvirt 9.0.0 (virErrorDomain): the layer that raised an error.

extension VirtError.Domain {
    /// VIR_FROM_NONE
    package static let none = Self(rawValue: 0)
    /// VIR_FROM_XEN
    package static let xen = Self(rawValue: 1)
    /// VIR_FROM_XEND
    package static let xend = Self(rawValue: 2)
    /// VIR_FROM_XENSTORE
    package static let xenstore = Self(rawValue: 3)
    /// VIR_FROM_SEXPR
    package static let sexpr = Self(rawValue: 4)
    /// VIR_FROM_XML
    package static let xml = Self(rawValue: 5)
    /// VIR_FROM_DOM
    package static let dom = Self(rawValue: 6)
    /// VIR_FROM_RPC
    package static let rpc = Self(rawValue: 7)
    /// VIR_FROM_PROXY
    package static let proxy = Self(rawValue: 8)
    /// VIR_FROM_CONF
    package static let conf = Self(rawValue: 9)
    /// VIR_FROM_QEMU
    package static let qemu = Self(rawValue: 10)
    /// VIR_FROM_NET
    package static let net = Self(rawValue: 11)
    /// VIR_FROM_TEST
    package static let test = Self(rawValue: 12)
    /// VIR_FROM_REMOTE
    package static let remote = Self(rawValue: 13)
    /// VIR_FROM_OPENVZ
    package static let openvz = Self(rawValue: 14)
    /// VIR_FROM_XENXM
    package static let xenxm = Self(rawValue: 15)
    /// VIR_FROM_STATS_LINUX
    package static let statsLinux = Self(rawValue: 16)
    /// VIR_FROM_LXC
    package static let lxc = Self(rawValue: 17)
    /// VIR_FROM_STORAGE
    package static let storage = Self(rawValue: 18)
    /// VIR_FROM_NETWORK
    package static let network = Self(rawValue: 19)
    /// VIR_FROM_DOMAIN
    package static let domain = Self(rawValue: 20)
    /// VIR_FROM_UML
    package static let uml = Self(rawValue: 21)
    /// VIR_FROM_NODEDEV
    package static let nodedev = Self(rawValue: 22)
    /// VIR_FROM_XEN_INOTIFY
    package static let xenInotify = Self(rawValue: 23)
    /// VIR_FROM_SECURITY
    package static let security = Self(rawValue: 24)
    /// VIR_FROM_VBOX
    package static let vbox = Self(rawValue: 25)
    /// VIR_FROM_INTERFACE
    package static let interface = Self(rawValue: 26)
    /// VIR_FROM_ONE
    package static let one = Self(rawValue: 27)
    /// VIR_FROM_ESX
    package static let esx = Self(rawValue: 28)
    /// VIR_FROM_PHYP
    package static let phyp = Self(rawValue: 29)
    /// VIR_FROM_SECRET
    package static let secret = Self(rawValue: 30)
    /// VIR_FROM_CPU
    package static let cpu = Self(rawValue: 31)
    /// VIR_FROM_XENAPI
    package static let xenapi = Self(rawValue: 32)
    /// VIR_FROM_NWFILTER
    package static let nwfilter = Self(rawValue: 33)
    /// VIR_FROM_HOOK
    package static let hook = Self(rawValue: 34)
    /// VIR_FROM_DOMAIN_SNAPSHOT
    package static let domainSnapshot = Self(rawValue: 35)
    /// VIR_FROM_AUDIT
    package static let audit = Self(rawValue: 36)
    /// VIR_FROM_SYSINFO
    package static let sysinfo = Self(rawValue: 37)
    /// VIR_FROM_STREAMS
    package static let streams = Self(rawValue: 38)
    /// VIR_FROM_VMWARE
    package static let vmware = Self(rawValue: 39)
    /// VIR_FROM_EVENT
    package static let event = Self(rawValue: 40)
    /// VIR_FROM_LIBXL
    package static let libxl = Self(rawValue: 41)
    /// VIR_FROM_LOCKING
    package static let locking = Self(rawValue: 42)
    /// VIR_FROM_HYPERV
    package static let hyperv = Self(rawValue: 43)
    /// VIR_FROM_CAPABILITIES
    package static let capabilities = Self(rawValue: 44)
    /// VIR_FROM_URI
    package static let uri = Self(rawValue: 45)
    /// VIR_FROM_AUTH
    package static let auth = Self(rawValue: 46)
    /// VIR_FROM_DBUS
    package static let dbus = Self(rawValue: 47)
    /// VIR_FROM_PARALLELS
    package static let parallels = Self(rawValue: 48)
    /// VIR_FROM_DEVICE
    package static let device = Self(rawValue: 49)
    /// VIR_FROM_SSH
    package static let ssh = Self(rawValue: 50)
    /// VIR_FROM_LOCKSPACE
    package static let lockspace = Self(rawValue: 51)
    /// VIR_FROM_INITCTL
    package static let initctl = Self(rawValue: 52)
    /// VIR_FROM_IDENTITY
    package static let identity = Self(rawValue: 53)
    /// VIR_FROM_CGROUP
    package static let cgroup = Self(rawValue: 54)
    /// VIR_FROM_ACCESS
    package static let access = Self(rawValue: 55)
    /// VIR_FROM_SYSTEMD
    package static let systemd = Self(rawValue: 56)
    /// VIR_FROM_BHYVE
    package static let bhyve = Self(rawValue: 57)
    /// VIR_FROM_CRYPTO
    package static let crypto = Self(rawValue: 58)
    /// VIR_FROM_FIREWALL
    package static let firewall = Self(rawValue: 59)
    /// VIR_FROM_POLKIT
    package static let polkit = Self(rawValue: 60)
    /// VIR_FROM_THREAD
    package static let thread = Self(rawValue: 61)
    /// VIR_FROM_ADMIN
    package static let admin = Self(rawValue: 62)
    /// VIR_FROM_LOGGING
    package static let logging = Self(rawValue: 63)
    /// VIR_FROM_XENXL
    package static let xenxl = Self(rawValue: 64)
    /// VIR_FROM_PERF
    package static let perf = Self(rawValue: 65)
    /// VIR_FROM_LIBSSH
    package static let libssh = Self(rawValue: 66)
    /// VIR_FROM_RESCTRL
    package static let resctrl = Self(rawValue: 67)
    /// VIR_FROM_FIREWALLD
    package static let firewalld = Self(rawValue: 68)
    /// VIR_FROM_DOMAIN_CHECKPOINT
    package static let domainCheckpoint = Self(rawValue: 69)
    /// VIR_FROM_TPM
    package static let tpm = Self(rawValue: 70)
    /// VIR_FROM_BPF
    package static let bpf = Self(rawValue: 71)
    /// VIR_FROM_CH
    package static let ch = Self(rawValue: 72)
}
