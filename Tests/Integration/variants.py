"""Guests of many kinds, as tables: what differs from a plain guest, and what must be on QEMU's command line for it."""
import dataclasses
import os
import re
import subprocess

IMAGES = "/var/lib/libvirt/images"
MASTER = re.compile(IMAGES + r"/((?:plain|top|floppy|nvdimm|pmem)\.\w+)")


@dataclasses.dataclass
class Variant:
    name: str
    devices: str = ""
    machine: str = "q35"
    # Elements of the domain beside the usual ones, and of <os>.
    elements: str = ""
    os: str = ""
    features: str = "<acpi/>"
    vcpu: str = "<vcpu>1</vcpu>"
    # Text in QEMU's arguments that shows that the kind of device is there.
    mark: str = ""
    serial: bool = True
    # Whether C libvirt 9.0 can start it.
    in_c: bool = True

    def make_images(self):
        """Images of the guest's own, as QEMU locks them."""
        for image in sorted(set(MASTER.findall(self.devices))):
            copy = f"{IMAGES}/{self.name}-{image}"
            if not os.path.exists(copy):
                subprocess.run(["cp", "--sparse=always", f"{IMAGES}/{image}", copy], check=True)

    def xml(self, guest, memory=160):
        """The guest's definition; the kernel is the small Linux, its console a file besides a terminal."""
        log = f"<log file='/var/log/libvirt/qemu/{self.name}-console.log' append='off'/>"
        serial = f"<serial type='pty'>{log}</serial>" if self.serial else ""
        devices = MASTER.sub(lambda match: f"{IMAGES}/{self.name}-{match[1]}", self.devices)
        namespace = " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'" if "<qemu:" in self.elements else ""
        return f"""<domain type='qemu'{namespace}><name>{self.name}</name><memory unit='MiB'>{memory}</memory>{self.vcpu}
<os><type arch='x86_64' machine='{self.machine}'>hvm</type><kernel>{guest}/vmlinuz</kernel>
<initrd>{guest}/initrd.gz</initrd><cmdline>console=ttyS0 quiet panic=1</cmdline>{self.os}</os>
<features>{self.features}</features>{self.elements}<devices>{serial}{devices}</devices></domain>"""


def disk(target, bus, image="plain.raw", form="raw", device="disk", driver="", inner="", readonly=False):
    source = f"<source file='{IMAGES}/{image}'/>" if image else ""
    return f"""<disk type='file' device='{device}'><driver name='qemu' type='{form}' {driver}/>{source}
<target dev='{target}' bus='{bus}'/>{'<readonly/>' if readonly else ''}{inner}</disk>"""


def network_disk(target, inner):
    return f"""<disk type='network' device='disk'><driver name='qemu' type='raw'/>{inner}
<target dev='{target}' bus='virtio'/></disk>"""


def interface(kind, model="virtio", inner=""):
    return f"<interface type='{kind}'>{inner}<model type='{model}'/></interface>"


def graphics(kind, attributes="autoport='yes'", inner="", video="vga"):
    return f"<graphics type='{kind}' {attributes}>{inner}</graphics><video><model type='{video}'/></video>"


def channel(kind, source="", target="<target type='virtio' name='org.test.0'/>"):
    return f"<channel type='{kind}'>{source}{target}</channel>"


def make_images():
    """The images that those of the variants are copies of."""
    os.makedirs(f"{IMAGES}/tree", exist_ok=True)
    for name, form, options in (
            ("plain.raw", "raw", []), ("plain.qcow2", "qcow2", []), ("plain.vmdk", "vmdk", []),
            ("plain.vdi", "vdi", []), ("plain.vpc", "vpc", []), ("plain.qed", "qed", []),
            ("base.qcow2", "qcow2", []), ("middle.qcow2", "qcow2", ["-b", f"{IMAGES}/base.qcow2", "-F", "qcow2"]),
            ("top.qcow2", "qcow2", ["-b", f"{IMAGES}/middle.qcow2", "-F", "qcow2"])):
        if not os.path.exists(f"{IMAGES}/{name}"):
            size = [] if options else ["4M"]
            subprocess.run(["qemu-img", "create", "-q", "-f", form, *options, f"{IMAGES}/{name}", *size], check=True)
    for name, size in (("floppy.img", 1474560), ("nvdimm.img", 128 << 20), ("pmem.img", 16 << 20)):
        if not os.path.exists(f"{IMAGES}/{name}"):
            with open(f"{IMAGES}/{name}", "wb") as file:
                file.truncate(size)


VIRTIO_SCSI = "<controller type='scsi' model='virtio-scsi'/>"
HOTPLUG_MEMORY = "<maxMemory slots='4' unit='MiB'>1024</maxMemory><cpu><numa>" \
    "<cell id='0' cpus='0' memory='160' unit='MiB'/></numa></cpu>"
XHCI = "<controller type='usb' model='qemu-xhci'/>"

STORAGE = [
    Variant("virtio-raw", disk("vda", "virtio"), mark="virtio-blk-pci"),
    Variant("virtio-qcow2", disk("vda", "virtio", "plain.qcow2", "qcow2"), mark='"driver":"qcow2"'),
    Variant("virtio-chain", disk("vda", "virtio", "top.qcow2", "qcow2"), mark="middle.qcow2"),
    Variant("virtio-vmdk", disk("vda", "virtio", "plain.vmdk", "vmdk"), mark='"driver":"vmdk"'),
    Variant("virtio-vdi", disk("vda", "virtio", "plain.vdi", "vdi"), mark='"driver":"vdi"'),
    Variant("virtio-vpc", disk("vda", "virtio", "plain.vpc", "vpc"), mark='"driver":"vpc"'),
    Variant("virtio-qed", disk("vda", "virtio", "plain.qed", "qed"), mark='"driver":"qed"'),
    Variant("virtio-thread", disk("vda", "virtio", driver="iothread='2' queues='2' cache='none' io='threads'"),
            elements="<iothreads>2</iothreads>", mark='"iothread":"iothread2"'),
    Variant("virtio-discard", disk("vda", "virtio", driver="discard='unmap' detect_zeroes='unmap'"),
            mark='"discard":"unmap"'),
    Variant("virtio-throttled", disk("vda", "virtio", inner="<iotune><total_bytes_sec>1000000</total_bytes_sec>"
                                     "<read_iops_sec>50</read_iops_sec></iotune>"), mark="throttl"),
    Variant("virtio-readonly", disk("vda", "virtio", readonly=True), mark='"read-only":true'),
    Variant("virtio-shared", disk("vda", "virtio", driver="cache='none'", inner="<shareable/>"),
            mark='"share-rw":true'),
    Variant("virtio-serial-number", disk("vda", "virtio", inner="<serial>WD-1234</serial><boot order='1'/>"),
            mark='"serial":"WD-1234"'),
    Variant("ide", disk("hda", "ide"), "pc", mark="ide-hd"),
    Variant("ide-cdrom", disk("hdc", "ide", device="cdrom", readonly=True), "pc", mark="ide-cd"),
    Variant("ide-empty", disk("hdc", "ide", image=None, device="cdrom", readonly=True), "pc", mark="ide-cd"),
    Variant("sata", disk("sda", "sata"), mark="ide-hd"),
    Variant("sata-cdrom", disk("sda", "sata", device="cdrom", readonly=True), mark="ide-cd"),
    Variant("sata-extra", "<controller type='sata' index='1'/>" + disk("sdg", "sata"), mark='"id":"sata1"'),
    Variant("scsi-virtio", VIRTIO_SCSI + disk("sda", "scsi") + disk("sdb", "scsi", "plain.qcow2", "qcow2"),
            mark="virtio-scsi-pci"),
    Variant("scsi-cdrom", VIRTIO_SCSI + disk("sda", "scsi", device="cdrom", readonly=True), mark="scsi-cd"),
    Variant("scsi-thread", "<controller type='scsi' model='virtio-scsi'><driver queues='2' iothread='1'/></controller>"
            + disk("sda", "scsi"), elements="<iothreads>1</iothreads>", mark='"num_queues":2'),
    Variant("scsi-lsi", "<controller type='scsi' model='lsilogic'/>" + disk("sda", "scsi"), "pc", mark="lsi"),
    Variant("scsi-lsisas", "<controller type='scsi' model='lsisas1078'/>" + disk("sda", "scsi"), "pc",
            mark="megasas"),
    Variant("scsi-mpt", "<controller type='scsi' model='lsisas1068'/>" + disk("sda", "scsi"), "pc",
            mark="mptsas1068"),
    Variant("scsi-vmware", "<controller type='scsi' model='vmpvscsi'/>" + disk("sda", "scsi"), mark="pvscsi"),
    Variant("usb-stick", XHCI + disk("sda", "usb", inner="").replace("bus='usb'", "bus='usb' removable='on'"),
            mark="usb-storage"),
    Variant("floppy", disk("fda", "fdc", "floppy.img", device="floppy"), "pc", mark="floppy"),
    Variant("floppy-q35", disk("fda", "fdc", "floppy.img", device="floppy"), mark="isa-fdc"),
    Variant("fat", f"<disk type='dir' device='disk'><driver name='qemu' type='fat'/><source dir='{IMAGES}/tree'/>"
            "<target dev='vda' bus='virtio'/><readonly/></disk>", mark="vvfat"),
    Variant("nbd-unix", network_disk("vda", "<source protocol='nbd' name='x'><host transport='unix' "
                                     "socket='/run/nbd.sock'/></source>"), mark='"driver":"nbd"'),
    Variant("nbd-tcp", network_disk("vda", "<source protocol='nbd' name='x'><host name='127.0.0.1' "
                                    "port='10809'/></source>"), mark='"port":"10809"'),
    Variant("filesystem", f"<filesystem type='mount' accessmode='passthrough'><source dir='{IMAGES}/tree'/>"
            "<target dir='tree'/></filesystem>", mark="virtio-9p-pci"),
    Variant("filesystem-mapped", f"<filesystem type='mount' accessmode='mapped' fmode='0644' dmode='0755'>"
            f"<source dir='{IMAGES}/tree'/><target dir='tree'/><readonly/></filesystem>", mark="mapped"),
    Variant("filesystem-virtiofs", f"<filesystem type='mount' accessmode='passthrough'><driver type='virtiofs'/>"
            f"<source dir='{IMAGES}/tree'/><target dir='tree'/></filesystem>",
            elements="<memoryBacking><access mode='shared'/></memoryBacking>", mark="vhost-user-fs-pci"),
    Variant("tpm-2.0", "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>", mark="emulator,id=tpm-tpm0"),
    Variant("tpm-1.2", "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>", mark="emulator,id=tpm-tpm0"),
    Variant("memory-nvdimm", f"<memory model='nvdimm' access='shared'><source><path>{IMAGES}/nvdimm.img</path></source>"
            "<target><size unit='MiB'>128</size><node>0</node><label><size unit='KiB'>128</size></label></target>"
            "</memory>", elements=HOTPLUG_MEMORY, mark="nvdimm"),
    Variant("memory-pmem", f"<memory model='virtio-pmem' access='shared'><source><path>{IMAGES}/pmem.img</path>"
            "</source><target><size unit='MiB'>16</size></target></memory>",
            elements=HOTPLUG_MEMORY, in_c=False, mark="virtio-pmem-pci"),
]

NETWORK = [
    *(Variant(f"nic-{model}", interface("user", model), machine, mark=mark) for model, machine, mark in (
        ("virtio", "q35", "virtio-net-pci"), ("virtio-transitional", "q35", "virtio-net-pci-transitional"),
        ("virtio-non-transitional", "q35", "virtio-net-pci-non-transitional"), ("e1000", "pc", "e1000"),
        ("e1000e", "q35", "e1000e"), ("rtl8139", "pc", "rtl8139"), ("ne2k_pci", "pc", "ne2k_pci"),
        ("pcnet", "pc", "pcnet"), ("vmxnet3", "q35", "vmxnet3"), ("i82551", "pc", "i82551"))),
    Variant("nic-usb-net", interface("user", "usb-net"), in_c=False, mark="usb-net"),
    Variant("net-user-address", interface("user", inner="<ip family='ipv4' address='10.9.0.0' prefix='24'/>"),
            mark="10.9.0.0"),
    Variant("net-bridge", interface("bridge", inner="<source bridge='virbr0'/>"), mark="tap"),
    Variant("net-nat", interface("network", inner="<source network='default'/>"), mark="tap"),
    Variant("net-down", interface("network", inner="<source network='default'/><link state='down'/>"), mark="tap"),
    Variant("net-named", interface("bridge", inner="<source bridge='virbr0'/><target dev='guest0'/>"), mark="tap"),
    Variant("net-driver", interface("network", inner="<source network='default'/><mtu size='1400'/>"
                                    "<driver name='qemu' txmode='timer' ioeventfd='on' rx_queue_size='512'/>"
                                    "<rom enabled='no'/><boot order='1'/>"), mark='"rx_queue_size":512'),
    Variant("net-ethernet", interface("ethernet"), mark="tap"),
    Variant("net-mcast", interface("mcast", inner="<source address='230.0.0.1' port='5558'/>"), mark="230.0.0.1"),
    Variant("net-server", interface("server", inner="<source address='127.0.0.1' port='5559'/>"),
            mark="127.0.0.1:5559"),
    Variant("net-udp", interface("udp", inner="<source address='127.0.0.1' port='5560'>"
                                 "<local address='127.0.0.1' port='5561'/></source>"), mark="127.0.0.1:5560"),
    Variant("net-two", interface("network", inner="<source network='default'/>") + interface("user", "e1000e"),
            mark="net1"),
]

DISPLAYS = [
    Variant("vnc", graphics("vnc"), mark="-vnc\x00127.0.0.1"),
    Variant("vnc-port", graphics("vnc", "port='5977' keymap='de' sharePolicy='ignore'"), mark="127.0.0.1:77"),
    Variant("vnc-password", graphics("vnc", "autoport='yes' passwd='secret'"), mark="password"),
    Variant("vnc-web", graphics("vnc", "autoport='yes' websocket='-1'"), mark="websocket="),
    Variant("vnc-everywhere", graphics("vnc", inner="<listen type='address' address='0.0.0.0'/>"), mark="0.0.0.0:"),
    Variant("vnc-socket", graphics("vnc", "", "<listen type='socket'/>"), mark="vnc.sock"),
    Variant("vnc-socket-path", graphics("vnc", "socket='/run/screen.sock'"), mark="/run/screen.sock"),
    Variant("spice", graphics("spice", video="qxl"), mark="qxl-vga"),
    Variant("spice-socket", graphics("spice", "", "<listen type='socket'/>"), mark="spice.sock"),
    Variant("spice-none", graphics("spice", "", "<listen type='none'/>"), mark="-spice"),
    Variant("spice-options", graphics("spice", "autoport='yes'", "<image compression='off'/><jpeg compression='auto'/>"
                                      "<zlib compression='auto'/><playback compression='on'/>"
                                      "<streaming mode='filter'/><clipboard copypaste='no'/>"
                                      "<filetransfer enable='no'/>"), mark="streaming-video=filter"),
    Variant("spice-agent", graphics("spice") + channel("spicevmc", target="<target type='virtio' "
                                                       "name='com.redhat.spice.0'/>"), mark="spicevmc"),
    Variant("spice-port", graphics("spice") + channel("spiceport", "<source channel='org.test.1'/>"),
            mark="spiceport"),
    Variant("spice-audio", graphics("spice") + "<sound model='ich9'/><audio id='1' type='spice'/>",
            mark='"driver":"spice"'),
    Variant("spice-usb", graphics("spice") + "<controller type='usb' model='ich9-ehci1'/><controller type='usb' "
            "model='ich9-uhci1'><master startport='0'/></controller><redirdev bus='usb' type='spicevmc'/>"
            "<redirfilter><usbdev class='0x08' allow='yes'/><usbdev allow='no'/></redirfilter>", mark="usb-redir"),
    Variant("both-displays", graphics("vnc") + "<graphics type='spice' autoport='yes'/>", mark="-spice"),
    Variant("dbus", "<graphics type='dbus' p2p='yes'/><video><model type='vga'/></video>", mark="dbus"),
    *(Variant(f"video-{model}", graphics("vnc", video=model), machine, mark=mark) for model, machine, mark in (
        ("vga", "pc", "VGA"), ("cirrus", "pc", "cirrus-vga"), ("vmvga", "pc", "vmware-svga"),
        ("virtio", "q35", "virtio-vga"), ("bochs", "q35", "bochs-display"), ("ramfb", "q35", "ramfb"),
        ("none", "q35", "-vnc"))),
    Variant("video-two", graphics("spice", video="qxl") + "<video><model type='qxl' ram='65536' vram='65536' "
            "vgamem='16384' heads='1'/></video>", mark='"driver":"qxl"'),
    Variant("video-large", "<graphics type='vnc'/><video><model type='virtio' heads='1'><resolution x='1280' y='800'/>"
            "</model></video>", mark='"xres":1280'),
]

CHARACTERS = [
    Variant("serial-file", "<serial type='file'><source path='/var/log/libvirt/qemu/port.log' append='on'/></serial>",
            serial=False, mark='isa-serial'),
    Variant("serial-unix", "<serial type='unix'><source mode='bind' path='/run/port.sock'/></serial>", serial=False,
            mark="/run/port.sock"),
    Variant("serial-tcp", "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='5571'/>"
            "<protocol type='telnet'/></serial>", serial=False, mark="5571"),
    Variant("serial-udp", "<serial type='udp'><source mode='connect' host='127.0.0.1' service='5572'/>"
            "<source mode='bind' host='127.0.0.1' service='5573'/></serial>", serial=False, mark="5572"),
    Variant("serial-null", "<serial type='null'/>", serial=False, mark="null,id=charserial0"),
    Variant("serial-vc", graphics("vnc") + "<serial type='vc'/>", serial=False, mark="vc,id=charserial0"),
    Variant("serial-device", "<serial type='dev'><source path='/dev/null'/></serial>", serial=False,
            mark="charserial0,path=/dev/null"),
    Variant("serial-usb", "<serial type='pty'><target type='usb-serial' port='1'/></serial>", mark="usb-serial"),
    Variant("serial-pci", "<serial type='pty'><target type='pci-serial' port='1'/></serial>", mark="pci-serial"),
    Variant("serial-debug", "<serial type='null'><target type='isa-debug' port='1'><model name='isa-debugcon'/>"
            "</target><address type='isa' iobase='0x402'/></serial>", serial=False, mark="isa-debugcon"),
    Variant("parallel", "<parallel type='null'/>", "pc", mark="isa-parallel"),
    Variant("console-virtio", "<console type='pty'><target type='virtio' port='1'/></console>", mark="virtconsole"),
    Variant("channel-agent", channel("unix", target="<target type='virtio' name='org.qemu.guest_agent.0'/>"),
            mark="org.qemu.guest_agent.0"),
    Variant("channel-pty", channel("pty"), mark="virtserialport"),
    Variant("channel-tcp", channel("tcp", "<source mode='bind' host='127.0.0.1' service='5574'/>"
                                   "<protocol type='raw'/>"), mark="5574"),
    Variant("channel-forward", interface("user") + channel("unix", "<source mode='bind' path='/run/forward.sock'/>",
            "<target type='guestfwd' address='10.0.2.1' port='4600'/>"), mark="guestfwd"),
    Variant("channel-vdagent", graphics("vnc") + channel("qemu-vdagent", "<source><clipboard copypaste='yes'/>"
            "<mouse mode='client'/></source>", "<target type='virtio' name='com.redhat.spice.0'/>"),
            mark="qemu-vdagent"),
    Variant("smartcard", "<smartcard mode='passthrough' type='tcp'><source mode='bind' host='127.0.0.1' "
            "service='5575'/><protocol type='raw'/></smartcard>", mark="ccid-card-passthru"),
    Variant("redirection", XHCI + "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' "
            "service='5576'/></redirdev>", mark="usb-redir"),
]

DEVICES = [
    *(Variant(f"input-{bus}-{kind}", f"<input type='{kind}' bus='{bus}'/>", mark=mark) for bus, kind, mark in (
        ("usb", "tablet", "usb-tablet"), ("usb", "mouse", "usb-mouse"), ("usb", "keyboard", "usb-kbd"),
        ("virtio", "tablet", "virtio-tablet-pci"), ("virtio", "mouse", "virtio-mouse-pci"),
        ("virtio", "keyboard", "virtio-keyboard-pci"))),
    *(Variant(f"usb-{model}", f"<controller type='usb' model='{model}' {more}/><input type='tablet' bus='usb'/>",
              machine, mark=mark) for model, machine, mark, more in (
        ("piix3-uhci", "pc", "piix3-usb-uhci", ""), ("ich9-ehci1", "q35", "ich9-usb-ehci1", ""),
        ("ehci", "pc", "usb-ehci", ""), ("nec-xhci", "q35", "nec-usb-xhci", "ports='8'"),
        ("qemu-xhci", "q35", "qemu-xhci", "ports='15'"))),
    Variant("usb-none", "<controller type='usb' model='none'/>", mark="usb=off"),
    Variant("usb-hub", "<hub type='usb'/><input type='tablet' bus='usb'/>", mark="usb-hub"),
    *(Variant(f"sound-{model}", f"<sound model='{model}'/><audio id='1' type='none'/>", machine, mark=mark)
      for model, machine, mark in (
          ("ac97", "pc", "AC97"), ("es1370", "pc", "ES1370"), ("sb16", "pc", "sb16"), ("ich6", "pc", "intel-hda"),
          ("ich9", "q35", "ich9-intel-hda"), ("usb", "q35", "usb-audio"))),
    Variant("sound-codec", "<sound model='ich9'><codec type='micro'/></sound><audio id='1' type='file' "
            "path='/run/sound.wav'/>", mark="hda-micro"),
    *(Variant(f"watchdog-{model}", f"<watchdog model='{model}' action='{action}'/>", machine, mark=mark)
      for model, action, machine, mark in (
          ("i6300esb", "poweroff", "q35", "i6300esb"), ("ib700", "pause", "pc", "ib700"))),
    Variant("balloon", "<memballoon model='virtio' autodeflate='on' freePageReporting='on'><stats period='5'/>"
            "</memballoon>", mark="free-page-reporting"),
    Variant("balloon-none", "<memballoon model='none'/>", mark="-S"),
    Variant("rng", "<rng model='virtio'><rate bytes='1000' period='1000'/><backend model='random'>/dev/urandom"
            "</backend></rng>", mark="rng-random"),
    Variant("rng-builtin", "<rng model='virtio'><backend model='builtin'/></rng>", mark="rng-builtin"),
    Variant("rng-egd", "<rng model='virtio'><backend model='egd' type='tcp'><source mode='bind' host='127.0.0.1' "
            "service='5577'/></backend></rng>", mark="rng-egd"),
    Variant("panic-isa", "<panic model='isa'/>", mark="pvpanic"),
    Variant("shmem", "<shmem name='pond'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>",
            mark="ivshmem-plain"),
    Variant("iommu", "<iommu model='intel'/>", features="<acpi/><apic/>", mark="intel-iommu"),
    Variant("memory-dimm", "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
            elements=HOTPLUG_MEMORY, mark="pc-dimm"),
    Variant("memory-virtio", "<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node>"
            "<block unit='MiB'>2</block><requested unit='MiB'>64</requested></target></memory>",
            elements=HOTPLUG_MEMORY, mark="virtio-mem-pci"),
    Variant("memory-file", elements="<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>",
            mark="memory-backend-file"),
    Variant("memory-memfd", elements="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
            mark="memory-backend-memfd"),
    Variant("numa", vcpu="<vcpu>4</vcpu>", elements="<cpu><topology sockets='2' dies='1' cores='2' threads='1'/><numa>"
            "<cell id='0' cpus='0-1' memory='80' unit='MiB'><distances><sibling id='0' value='10'/>"
            "<sibling id='1' value='21'/></distances></cell>"
            "<cell id='1' cpus='2-3' memory='80' unit='MiB'/></numa></cpu>", mark="dist,src=0"),
    Variant("processors", vcpu="<vcpu current='2'>4</vcpu>", mark="2,maxcpus=4"),
    Variant("processor-model", elements="<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>Nehalem"
            "</model><feature policy='disable' name='popcnt'/></cpu>", mark="Nehalem"),
    Variant("processor-maximum", elements="<cpu mode='maximum'/>", mark="-cpu\0max"),
    Variant("clock", elements="<clock offset='variable' adjustment='3600' basis='utc'><timer name='rtc' "
            "tickpolicy='catchup' track='guest'/><timer name='pit' tickpolicy='delay'/><timer name='hpet' present='no'/>"
            "</clock>", mark="driftfix=slew"),
    Variant("smbios", elements="<sysinfo type='smbios'><bios><entry name='vendor'>Test</entry></bios><system>"
            "<entry name='product'>Box</entry></system></sysinfo>", os="<smbios mode='sysinfo'/>", mark="product=Box"),
    Variant("firmware-config", elements="<sysinfo type='fwcfg'><entry name='opt/org.test'>text</entry></sysinfo>",
            mark="opt/org.test"),
    Variant("passed-on", elements="<qemu:commandline><qemu:arg value='-fw_cfg'/>"
            "<qemu:arg value='name=opt/org.arg,string=x'/><qemu:env name='WORD' value='y'/></qemu:commandline>",
            mark="opt/org.arg"),
    Variant("power", elements="<pm><suspend-to-disk enabled='no'/><suspend-to-mem enabled='yes'/></pm>",
            mark="disable_s4=1"),
    Variant("root-ports", "".join(f"<controller type='pci' model='pcie-root-port' index='{n}'/>" for n in range(1, 20))
            + "<controller type='pci' model='pcie-to-pci-bridge' index='20'/>" + disk("vda", "virtio"),
            mark="pcie-pci-bridge"),
    Variant("pci-bridges", "<controller type='pci' model='pci-bridge' index='1'/><controller type='pci' "
            "model='pci-expander-bus' index='2'><target busNr='180'/></controller>", "pc", mark="pxb"),
    Variant("pcie-switch", "<controller type='pci' model='pcie-root-port' index='1'/><controller type='pci' "
            "model='pcie-switch-upstream-port' index='2'/><controller type='pci' model='pcie-switch-downstream-port' "
            "index='3'/>", mark="x3130-upstream"),
    Variant("old-machine", disk("hda", "ide"), "pc-i440fx-2.8", mark="pc-i440fx-2.8"),
]

ALL = [("storage", STORAGE), ("network", NETWORK), ("display", DISPLAYS), ("character", CHARACTERS),
       ("device", DEVICES)]
