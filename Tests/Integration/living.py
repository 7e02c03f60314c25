"""Guests that live: booted under one side, and used on the other."""
import os
import subprocess
import threading
import traceback

import libvirt

import kinds
import variants
from lifecycle import expect
from sides import check_same, tree, view
from swarm import PATIENCE, Failure, wait_for
from variants import Variant, channel, disk, graphics, interface

NIC = interface("network", inner="<source network='default'/>")
# Places for what is plugged.
ROOT_PORTS = "".join(f"<controller type='pci' model='pcie-root-port' index='{n}'/>" for n in range(1, 9))
PLUGGED_DISK = disk("vdz", "virtio", "hot.qcow2", "qcow2")

LIVING = [
    Variant("plain"),
    Variant("i440fx", disk("hda", "ide") + graphics("vnc", video="cirrus"), "pc"),
    Variant("web", disk("vda", "virtio", "top.qcow2", "qcow2") + NIC + graphics("vnc")),
    Variant("desktop", graphics("spice", video="qxl") + channel("spicevmc", target="<target type='virtio' "
            "name='com.redhat.spice.0'/>") + "<sound model='ich9'/><redirdev bus='usb' type='spicevmc'/>"
            "<input type='tablet' bus='usb'/>"),
    Variant("database", variants.VIRTIO_SCSI + disk("sda", "scsi", driver="cache='none' io='threads'")
            + disk("sdb", "scsi", "plain.qcow2", "qcow2", inner="<iotune><total_iops_sec>500</total_iops_sec></iotune>"),
            vcpu="<vcpu current='2'>4</vcpu>", elements="<iothreads>2</iothreads><cputune>"
            "<vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='0-1'/><iothreadpin iothread='1' cpuset='1'/></cputune>"),
    Variant("media", disk("sda", "sata", device="cdrom", readonly=True)
            + disk("sdb", "sata", image=None, device="cdrom", readonly=True)
            + disk("fda", "fdc", "floppy.img", device="floppy"), "pc"),
    Variant("usb", variants.XHCI + disk("sda", "usb") + "<hub type='usb'/><input type='tablet' bus='usb'/>"
            "<input type='keyboard' bus='usb'/>"),
    Variant("memory", "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
            elements=variants.HOTPLUG_MEMORY),
    Variant("elastic", "<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node>"
            "<block unit='MiB'>2</block><requested unit='MiB'>64</requested></target></memory>"
            "<memballoon model='virtio'><stats period='5'/></memballoon>", elements=variants.HOTPLUG_MEMORY),
    Variant("lines", "<serial type='unix'><source mode='bind' path='/run/line.sock'/></serial>"
            "<parallel type='null'/>" + channel("unix", target="<target type='virtio' name='org.qemu.guest_agent.0'/>")
            + channel("pty", target="<target type='virtio' name='org.test.1'/>")
            + channel("tcp", "<source mode='bind' host='127.0.0.1' service='5580'/><protocol type='raw'/>",
                      "<target type='virtio' name='org.test.2'/>")
            + "<console type='pty'><target type='virtio' port='1'/></console>", "pc"),
    Variant("chance", "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
            "<watchdog model='i6300esb' action='reset'/><panic model='isa'/>"
            "<shmem name='pool'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>", "pc"),
    Variant("nets", NIC + interface("user", "e1000e") + interface("bridge", inner="<source bridge='virbr0'/>"
            "<target dev='named0'/><link state='down'/>") + interface("ethernet") + interface(
                "server", "rtl8139", "<source address='127.0.0.1' port='5581'/>")),
    Variant("tree", f"<filesystem type='mount' accessmode='mapped'><source dir='{variants.IMAGES}/tree'/>"
            "<target dir='tree'/></filesystem>"),
    Variant("processor", vcpu="<vcpu>2</vcpu>", elements="<cpu mode='custom' match='exact' check='partial'>"
            "<model fallback='allow'>Nehalem</model><topology sockets='1' dies='1' cores='2' threads='1'/>"
            "<feature policy='disable' name='popcnt'/></cpu><clock offset='variable' adjustment='60'>"
            "<timer name='rtc' tickpolicy='catchup'/></clock>"),
    Variant("maximum", elements="<cpu mode='maximum'/><sysinfo type='smbios'><system><entry name='product'>Box</entry>"
            "</system></sysinfo>", os="<smbios mode='sysinfo'/>"),
    Variant("described", elements="<title>A guest</title><description>of &lt;words&gt;</description><metadata>"
            "<t:note xmlns:t='http://example.org/t' t:level='3'>kept</t:note></metadata><on_poweroff>destroy</on_poweroff>"
            "<on_reboot>restart</on_reboot><on_crash>destroy</on_crash><pm><suspend-to-disk enabled='no'/></pm>"),
    Variant("argued", elements="<qemu:commandline><qemu:arg value='-fw_cfg'/>"
            "<qemu:arg value='name=opt/org.arg,string=x'/></qemu:commandline>"),
    Variant("shared", elements="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"),
    Variant("ports", ROOT_PORTS
            + disk("vda", "virtio")),
    Variant("volume", "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>"
            "<source pool='stock' volume='item.qcow2'/><target dev='vda' bus='virtio'/></disk>"),
    Variant("dark", "<graphics type='vnc' passwd='secret'><listen type='address' address='127.0.0.1'/></graphics>"
            "<graphics type='spice' autoport='yes'/><video><model type='virtio'/></video>"),
    # Those that something happens to before they are taken over.
    Variant("plugged", ROOT_PORTS + "<controller type='virtio-serial' index='0'/>"),
    Variant("stopped", NIC),
    Variant("brief"),
]


def start_network(sides):
    lan = sides.connection.networkDefineXML(
        "<network><name>default</name><uuid>5c6b9a8e-11f1-4a80-8e61-6d3b2b1d1f01</uuid><forward mode='nat'/>"
        "<bridge name='virbr0'/><ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>"
        "<range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>")
    lan.create()
    lan.setAutostart(True)
    kinds.route_multicast()


def start_others(sides):
    """Networks and pools beside the guests: persistent, transient, running, stopped."""
    sides.connection.networkDefineXML("<network><name>idle</name><bridge name='virbr7'/></network>")
    sides.connection.networkCreateXML(
        "<network><name>passing</name><bridge name='virbr8'/><domain name='lab'/>"
        "<dns><host ip='10.8.0.9'><hostname>h9</hostname></host></dns>"
        "<ip address='10.8.0.1' prefix='24'><dhcp><range start='10.8.0.2' end='10.8.0.99'/>"
        "<host mac='52:54:00:00:00:05' name='h5' ip='10.8.0.5'/></dhcp></ip></network>")
    sides.connection.networkCreateXML(
        "<network><name>across</name><forward mode='bridge'/><bridge name='virbr0'/></network>")
    pool = sides.connection.storagePoolDefineXML(
        f"<pool type='dir'><name>stock</name><target><path>{variants.IMAGES}</path></target></pool>")
    pool.create()
    if "item.qcow2" in pool.listVolumes():
        pool.storageVolLookupByName("item.qcow2").delete()
    pool.createXML("<volume><name>item.qcow2</name><capacity unit='MiB'>4</capacity>"
                   "<target><format type='qcow2'/></target></volume>")
    sides.connection.storagePoolCreateXML(
        "<pool type='dir'><name>passing</name><target><path>/var/lib/libvirt</path></target></pool>")
    sides.connection.storagePoolDefineXML(
        "<pool type='dir'><name>idle</name><target><path>/var/lib/nowhere</path></target></pool>")


def view_others(connection):
    """Networks with their leases and ports, pools with their volumes."""
    found = {}
    for lan in connection.listAllNetworks():
        found[f"network {lan.name()}"] = (
            lan.UUIDString(), lan.isActive(), lan.isPersistent(), lan.autostart() if lan.isPersistent() else None,
            lan.bridgeName() if lan.isActive() else None, tree(lan.XMLDesc()),
            tree(lan.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)),
            sorted((each["mac"], each["ipaddr"], each["expirytime"]) for each in lan.DHCPLeases())
            if lan.isActive() else None,
            sorted((port.UUIDString(), port.XMLDesc()) for port in lan.listAllPorts()) if lan.isActive() else None)
    for pool in connection.listAllStoragePools():
        if pool.isActive():
            pool.refresh()
        found[f"pool {pool.name()}"] = (
            pool.UUIDString(), pool.isActive(), pool.isPersistent(), pool.autostart() if pool.isPersistent() else None,
            sorted(pool.listVolumes()) if pool.isActive() else None,
            [line for line in tree(pool.XMLDesc()) if "<allocation" not in line and "<available" not in line])
    return found


def boot(sides, guests):
    """Starts guests and waits until they are up; a start begins their logs anew."""
    for guest in guests:
        guest.make_images()
        text = guest.xml(sides.swarm.guest)
        if guest.name == "brief":
            sides.connection.createXML(text)
        else:
            sides.connection.defineXML(text).create()
    for guest in guests:
        wait_for(f"guest {guest.name}", lambda: "GUEST-UP" in sides.swarm.console(guest.name))


def set_up(sides):
    """Boots the guests, and lets happen to some of them what is found again later."""
    connection = sides.connection
    variants.make_images()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{variants.IMAGES}/hot.qcow2", "4M"], check=True)
    start_network(sides)
    start_others(sides)
    # A few at a time: a kernel that gets no processor while it looks for its timer does not come up.
    for first in range(0, len(LIVING), 4):
        boot(sides, LIVING[first:first + 4])
    connection.lookupByName("web").setAutostart(True)
    connection.lookupByName("stopped").suspend()
    plugged = connection.lookupByName("plugged")
    for text in (PLUGGED_DISK, NIC, "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
                 channel("unix", target="<target type='virtio' name='org.test.hot'/>"), variants.VIRTIO_SCSI):
        plugged.attachDevice(text)
    connection.lookupByName("database").setVcpusFlags(3, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    connection.lookupByName("media").updateDeviceFlags(
        disk("sdb", "sata", "base.qcow2", "qcow2", "cdrom", readonly=True),
        libvirt.VIR_DOMAIN_AFFECT_LIVE)
    wait_for("a lease", lambda: connection.networkLookupByName("default").DHCPLeases())


def read_console(domain, text):
    """Whether the guest answers on its console."""
    stream = domain.connect().newStream(0)
    domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
    seen = b""
    watchdog = threading.Timer(PATIENCE, stream.abort)
    watchdog.start()
    try:
        stream.send(f"\necho {text}\n".encode())
        while f"GUEST-SAYS {text}".encode() not in seen:
            piece = stream.recv(4096)
            if not piece:
                raise Failure(f"the console ended: {seen[-300:]}")
            seen += piece
    finally:
        watchdog.cancel()
        try:
            stream.abort()
        except libvirt.libvirtError:
            pass


def use(sides, domain, index):
    """What a guest that was taken over must still do."""
    if domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
        domain.resume()
    domain.suspend()
    expect(domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED, "it is not paused")
    domain.resume()
    expect(domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "it does not run")
    read_console(domain, f"hello-{index}")
    image = f"{variants.IMAGES}/plug-{index}.raw"
    with open(image, "wb") as file:
        file.truncate(1 << 20)
    text = f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>
<target dev='vdy' bus='virtio'/></disk>"""
    domain.attachDevice(text)
    expect(image in domain.XMLDesc(), "the plugged disk is not in its document")
    domain.detachDevice(text)
    wait_for("the disk to go", lambda: image not in domain.XMLDesc())
    if domain.name() == "plugged":
        domain.detachDevice(PLUGGED_DISK)
        wait_for("the disk from before to go", lambda: "hot.qcow2" not in domain.XMLDesc())
    expect(domain.memoryStats() is not None and domain.info()[4] > 0, "no statistics")


def take_over_living(sides, first):
    sides.switch(first)
    set_up(sides)
    before = {domain.name(): view(domain) for domain in sides.connection.listAllDomains()}
    pids = {name: sides.swarm.pid(name) for name in before}
    others = view_others(sides.connection)
    sides.switch(sides.other())
    problems = []
    after = view_others(sides.connection)
    for name in sorted(set(others) | set(after)):
        for one, other in zip(others.get(name, ("missing",)), after.get(name, ("missing",))):
            if one != other:
                problems.append(f"{name}: was {one}, is {other}")
    expect(set(before) == {domain.name() for domain in sides.connection.listAllDomains()}, "other guests")
    for name, seen in before.items():
        domain = sides.connection.lookupByName(name)
        check_same(name, seen, view(domain), problems)
    for index, name in enumerate(before):
        try:
            use(sides, sides.connection.lookupByName(name), index)
            expect(sides.swarm.pid(name) == pids[name], "it is another process")
        except Exception as error:
            problems.append(f"{name}: {error if isinstance(error, (Failure, libvirt.libvirtError)) else traceback.format_exc()}")
    shut_down(sides, before, problems)
    print(f"     {len(before)} guests, {len(others)} networks and pools, {len(problems)} problems", flush=True)
    expect(not problems, "\n".join(problems))


def shut_down(sides, names, problems):
    domains = []
    for name in names:
        try:
            domain = sides.connection.lookupByName(name)
            domain.shutdown()
            domains.append((name, domain))
        except libvirt.libvirtError as error:
            problems.append(f"{name} cannot be shut down: {error}")

    def is_off(domain):
        try:
            return not domain.isActive()
        except libvirt.libvirtError as error:
            return error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
    for name, domain in domains:
        try:
            wait_for(f"{name} to shut down", lambda: is_off(domain))
        except Failure as error:
            problems.append(str(error))
