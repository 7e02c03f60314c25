"""Devices that come and go, images of memory and screen, and the many kinds of device a guest can have."""
import os

from lifecycle import expect
from swarm import wait_for

IMAGES = "/var/lib/libvirt/images"
PLUG = """<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>
<target dev='vdb' bus='virtio'/></disk>"""


def make_image(name, size=1 << 20):
    path = f"{IMAGES}/{name}"
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def test_disk_is_plugged_and_unplugged(swarm):
    path = make_image("plugged.raw")
    swarm.boot("plug")
    swarm.virsh("attach-device", "plug", "/dev/stdin", "--live", text=PLUG.format(path))
    expect(path in swarm.virsh("domblklist", "plug"), "the disk is not listed")
    nodes = swarm.virsh("qemu-monitor-command", "plug", '{"execute":"query-named-block-nodes"}')
    expect(path in nodes, "QEMU does not know the disk")
    expect(path not in swarm.virsh("dumpxml", "--inactive", "plug"), "the definition changed")
    swarm.virsh("detach-disk", "plug", "vdb", "--live")
    wait_for("the disk to go", lambda: path not in swarm.virsh("domblklist", "plug"))


def test_device_in_the_definition(swarm):
    path = make_image("config.raw")
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("later"))
    swarm.virsh("attach-device", "later", "/dev/stdin", "--config", text=PLUG.format(path))
    expect(path in swarm.virsh("dumpxml", "later"), "the definition did not change")
    swarm.virsh("detach-disk", "later", "vdb", "--config")
    expect(path not in swarm.virsh("dumpxml", "later"), "the disk is still defined")


def test_managed_save(swarm):
    swarm.boot("saved")
    wait_for("a tick", lambda: "tick 2" in swarm.console("saved"))
    swarm.virsh("managedsave", "saved")
    expect(swarm.virsh("domstate", "--reason", "saved").strip() == "shut off (saved)", "state after the save")
    before = swarm.console("saved")
    swarm.virsh("start", "saved")
    # The console's log starts over with the guest's process; its boot message does not come again.
    last = max(int(line.split()[1]) for line in before.splitlines() if line.startswith("tick "))
    wait_for("the guest to go on", lambda: f"tick {last + 3}" in swarm.console("saved"))
    expect("GUEST-UP" not in swarm.console("saved").replace(before, ""), "the guest booted instead of going on")


def test_screenshot(swarm):
    swarm.boot("seen", "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>")
    swarm.virsh("screenshot", "seen", "/run/screen")
    with open("/run/screen", "rb") as file:
        expect(file.read(8) in (b"\x89PNG\r\n\x1a\n",) or os.path.getsize("/run/screen") > 1000, "no picture")
    expect(swarm.virsh("domdisplay", "seen").startswith("vnc://127.0.0.1"), "domdisplay")


def test_statistics(swarm):
    path = make_image("counted.raw")
    swarm.boot("counted", PLUG.format(path).replace("vdb", "vda"))
    expect("rd_req" in swarm.virsh("domblkstat", "counted", "vda"), "domblkstat")
    expect("Capacity:       1048576" in swarm.virsh("domblkinfo", "counted", "vda"), "domblkinfo")
    first = swarm.virsh("domstats", "counted", "--cpu-total", "--block", "--balloon")
    for field in ("cpu.time=", "block.count=1", "balloon.current="):
        expect(field in first, f"{field} is missing: {first}")
    begin = int(first.split("cpu.time=")[1].split()[0])
    wait_for("time to pass", lambda: int(
        swarm.virsh("domstats", "counted", "--cpu-total").split("cpu.time=")[1].split()[0]) > begin)


def test_kinds_of_devices(swarm):
    """Each machine starts with a handful of devices of one kind; QEMU takes its arguments and runs."""
    path = make_image("kind.raw")
    disk = "<disk type='file' device='{}'><driver name='qemu' type='raw'/><source file='" + path + "'/>" \
           "<target dev='{}' bus='{}'/></disk>"
    kinds = {
        "q35-virtio": ("q35", disk.format("disk", "vda", "virtio")),
        "q35-sata": ("q35", disk.format("disk", "sda", "sata")),
        "q35-scsi": ("q35", "<controller type='scsi' model='virtio-scsi'/>" + disk.format("disk", "sda", "scsi")),
        "q35-cdrom": ("q35", disk.format("cdrom", "sda", "sata")),
        "pc-ide": ("pc", disk.format("disk", "hda", "ide")),
        "pc-cdrom": ("pc", disk.format("cdrom", "hdc", "ide")),
        "q35-input": ("q35", "<input type='tablet' bus='usb'/><input type='keyboard' bus='virtio'/>"),
        "q35-rng": ("q35", "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"),
        "q35-user": ("q35", "<interface type='user'><model type='e1000e'/></interface>"),
        "q35-channel": ("q35", "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"),
        "q35-video": ("q35", "<graphics type='vnc' autoport='yes'/><video><model type='virtio'/></video>"),
        "q35-balloon": ("q35", "<memballoon model='virtio'/><watchdog model='i6300esb' action='reset'/>"),
        "pc-video": ("pc", "<graphics type='vnc' autoport='yes'/><video><model type='cirrus'/></video>"),
    }
    for name, (machine, devices) in kinds.items():
        swarm.virsh("create", "/dev/stdin", "--paused", text=swarm.domain(name, devices, machine=machine))
        expect(swarm.virsh("domstate", name).strip() == "paused", f"{name} is not paused")
        swarm.virsh("destroy", name)


def test_definitions_are_checked_against_the_schema(swarm):
    good = swarm.domain("schema")
    swarm.virsh("define", "/dev/stdin", "--validate", text=good)
    bad = good.replace("<devices>", "<devices><teapot/>", 1)
    error = swarm.virsh("define", "/dev/stdin", "--validate", text=bad, ok=False)
    expect("Unable to validate doc against /usr/share/libvirt/schemas/domain.rng" in error, error)
    # Without the check an unknown element is left out.
    swarm.virsh("undefine", "schema")
    swarm.virsh("define", "/dev/stdin", text=bad)
    expect("teapot" not in swarm.virsh("dumpxml", "schema"), "an unknown element was kept")
