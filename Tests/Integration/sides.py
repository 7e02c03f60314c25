"""C libvirt and our daemons on one host, of which one at a time drives it, and what of a guest must be the same under
both."""
import difflib
import os
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import libvirt

from swarm import DAEMONS, Swarm, listens, wait_for

URI = "qemu:///system?socket=/run/libvirt/libvirt-sock"
# virtlogd and virtlockd stay, whose they are: they hold what guests write to, and locks.
SHARED = ["virtlogd", "virtlockd"]


class Sides:
    """The two implementations on one host, of which one at a time drives it."""

    def __init__(self, build, guest):
        self.swarm = Swarm(build, guest)
        # The directories that C libvirt's package brings.
        for path in ("/var/log/libvirt/qemu", "/var/lib/libvirt/qemu", "/var/lib/libvirt/dnsmasq", "/etc/libvirt/qemu"):
            os.makedirs(path, exist_ok=True)
        with open("/etc/libvirt/qemu.conf", "a") as file:
            # No mount namespace per guest: C libvirt cannot make one inside ours.
            file.write("namespaces = []\n")
        self.side = None
        self.connection = None

    def commands(self, side):
        if side == "c":
            return {"libvirtd": ["/usr/sbin/libvirtd"]}
        return {name: [f"{self.swarm.build}/{name}"] for name in DAEMONS if name not in SHARED}

    def start_shared(self, directory):
        for name in SHARED:
            self.launch(name, [f"{directory}/{name}"])
            wait_for(f"the socket of {name}", lambda: listens(f"/run/libvirt/{name}-sock"))

    def launch(self, name, command):
        log = open(f"/run/{name}.stderr", "ab")
        self.swarm.processes[name] = subprocess.Popen(
            command, stderr=log, stdout=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def switch(self, side):
        """Ends the daemons of the side that drives the host, and starts the other's."""
        if self.connection:
            self.connection.close()
        for name in list(self.swarm.processes):
            if name not in SHARED:
                self.swarm.kill(name, signal.SIGTERM)
        self.side = side
        for name, command in self.commands(side).items():
            self.launch(name, command)
        wait_for("the daemons", self.is_ready)
        self.connection = libvirt.open(URI)

    def is_ready(self):
        for name in self.commands(self.side):
            self.swarm.check_alive(name)
        try:
            connection = libvirt.open(URI)
            # Guests are found again behind the scenes: a start-up is over when none is without its processors.
            connection.listAllDomains()
            connection.listAllNetworks()
            connection.listAllStoragePools()
            connection.close()
            return True
        except libvirt.libvirtError:
            return False

    def other(self):
        return "ours" if self.side == "c" else "c"

    def virsh(self, *arguments, **options):
        return self.swarm.virsh(*arguments, uri=URI, **options)

    def clean(self):
        for domain in self.connection.listAllDomains():
            if domain.isActive():
                domain.destroy()
        for domain in self.connection.listAllDomains():
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        for item in self.connection.listAllNetworks() + self.connection.listAllStoragePools():
            persistent = item.isPersistent()
            if item.isActive():
                item.destroy()
            if persistent:
                item.undefine()


def settle(root):
    """What C libvirt changes whenever it finds a guest again, its own too, is taken out of both documents: controllers
    are sorted, consoles numbered again, devices that are none lose their alias, and the clock is asked for."""
    devices = root.find("devices")
    if devices is None:
        return
    controllers = devices.findall("controller")
    for each in controllers:
        devices.remove(each)
    devices.extend(sorted(controllers, key=lambda each: (each.get("type"), int(each.get("index")), each.get("model"))))
    for number, console in enumerate(devices.findall("console")):
        console.find("target").set("port", str(number))
        if number:
            console.attrib.pop("tty", None)
    for target in devices.findall("channel/target[@type='virtio']"):
        # A channel that was plugged in has no state before the next daemon asks for it.
        target.attrib.setdefault("state", "disconnected")
    for each in devices:
        if each.tag in ("controller", "memballoon") and each.get("model") == "none" and each.find("alias") is not None:
            each.remove(each.find("alias"))
    clock = root.find("clock")
    if clock is not None and clock.get("offset") == "variable":
        clock.attrib.pop("adjustment")


def tree(text):
    """A document as lines of elements, attributes in order: what a client that reads it sees."""
    lines = []
    root = ElementTree.fromstring(text)
    settle(root)

    def walk(element, depth):
        attributes = "".join(f" {key}='{value}'" for key, value in sorted(element.attrib.items()))
        lines.append(f"{'  ' * depth}<{element.tag}{attributes}> {(element.text or '').strip()}")
        for child in element:
            walk(child, depth + 1)
    walk(root, 0)
    return lines


def difference(before, after):
    return "\n".join(line for line in difflib.unified_diff(tree(before), tree(after), "before", "after", "", "", 2))


def view(domain):
    """What must not change: identity, state, and both documents; a transient domain has one."""
    return {
        "id": domain.ID(), "uuid": domain.UUIDString(), "state": domain.state(),
        "persistent": domain.isPersistent(), "autostart": domain.autostart() if domain.isPersistent() else None,
        "vcpus": sorted((each[0], each[3] >= 0) for each in domain.vcpus()[0]) if domain.state()[0] == 1 else None,
    }, *(domain.XMLDesc(flags) for flags in (libvirt.VIR_DOMAIN_XML_SECURE, libvirt.VIR_DOMAIN_XML_INACTIVE)
         if flags != libvirt.VIR_DOMAIN_XML_INACTIVE or domain.isPersistent())


def check_same(name, before, after, problems):
    for key, value in before[0].items():
        if after[0][key] != value:
            problems.append(f"{name}: {key} was {value}, is {after[0][key]}")
    for what, one, other in zip(("live", "inactive"), before[1:], after[1:]):
        text = difference(one, other)
        if text:
            problems.append(f"{name}: the {what} document changed:\n{text}")
