"""A start that fails at any of its steps leaves nothing: each step in turn is made to fail by what it depends on."""
import contextlib
import glob
import os
import signal
import subprocess

import network
import variants
from lifecycle import expect
from swarm import wait_for

NAME = "fated"
IMAGE = f"{variants.IMAGES}/fated.raw"
OWNER = (1234, 1235)
HOOK = "/etc/libvirt/hooks/qemu"
NIC = "<interface type='network'><source network='{}'/><model type='virtio'/></interface>"
DISK = f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{IMAGE}'/>
<target dev='vda' bus='virtio'/></disk>"""
# A card, a disk that changes hands, a display with a port, a socket, a log: something for each step to take back.
DEVICES = NIC.format("default") + DISK + "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>" \
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
MEMORY = "<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>"


def processes(name):
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if f"guest={name},".encode() in file.read():
                    found.append(path)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def leftovers(swarm, name):
    """All that a guest that is not running may have left on the host."""
    ports = [line for line in swarm.virsh("net-port-list", "default").splitlines() if line.strip()]
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    files = [path for pattern in (
        f"/run/libvirt/qemu/{name}.*", f"/var/lib/libvirt/qemu/domain-*-{name}",
        f"/var/lib/libvirt/qemu/channel/target/domain-*-{name}", f"/var/lib/libvirt/qemu/ram/*-{name}")
        for path in glob.glob(pattern)]
    return processes(name) + ports + [line for line in links.splitlines() if ": vnet" in line] + files


def check_nothing_left(swarm):
    wait_for(f"nothing to be left, there is {leftovers(swarm, NAME)}", lambda: not leftovers(swarm, NAME), 10)
    status = os.stat(IMAGE)
    expect((status.st_uid, status.st_gid) == OWNER, f"the image belongs to {status.st_uid}:{status.st_gid}")
    notes = [note for note in os.listxattr(IMAGE) if "libvirt" in note]
    expect(not notes, f"the image has {notes}")
    expect(swarm.virsh("domstate", NAME).strip() == "shut off", "it is not shut off")
    expect(swarm.virsh("list", "--name").strip() == "", "something runs")


@contextlib.contextmanager
def hook(script):
    os.makedirs(os.path.dirname(HOOK), exist_ok=True)
    with open(HOOK, "w") as file:
        file.write("#!/bin/sh\n" + script)
    os.chmod(HOOK, 0o755)
    try:
        yield
    finally:
        os.remove(HOOK)


def failing_hook(swarm, operation):
    return hook(f'[ "$2" != {operation} ] || {{ echo "no {operation}" >&2; exit 1; }}\n')


@contextlib.contextmanager
def read_only(path):
    """Nothing can be made in a directory."""
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@contextlib.contextmanager
def moved(path):
    os.rename(path, path + ".away")
    try:
        yield
    finally:
        os.rename(path + ".away", path)


@contextlib.contextmanager
def stopped(swarm, daemon):
    swarm.kill(daemon, signal.SIGTERM)
    try:
        yield
    finally:
        swarm.start(daemon)


@contextlib.contextmanager
def defined(swarm, before, after):
    """A definition that goes wrong at the step, and the good one again afterwards."""
    good = swarm.virsh("dumpxml", "--inactive", "--security-info", NAME)
    expect(before in good, f"no {before} in {good}")
    swarm.virsh("define", "/dev/stdin", text=good.replace(before, after))
    try:
        yield
    finally:
        swarm.virsh("define", "/dev/stdin", text=good)


def broken_emulator(text):
    """An emulator that is QEMU when it is asked what it can do, and something else when it is a guest."""
    path = "/run/broken-emulator"
    with open(path, "w") as file:
        file.write(f"""#!/bin/sh
case "$*" in *guest={NAME}*) {text} ;; *) exec /usr/bin/qemu-system-x86_64 "$@" ;; esac
""")
    os.chmod(path, 0o755)
    return path


def with_emulator(swarm, text):
    path = broken_emulator(text)
    return defined(swarm, "<emulator>/usr/bin/qemu-system-x86_64</emulator>", f"<emulator>{path}</emulator>")


def with_argument(swarm, *arguments):
    lines = "".join(f"<qemu:arg value='{each}'/>" for each in arguments)
    return defined(
        swarm, "</domain>",
        f"<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{lines}</qemu:commandline></domain>")


# The steps in their order, how each is made to fail, and a part of the error that the client gets.
STEPS = [
    ("hook before all", lambda swarm: failing_hook(swarm, "prepare"), "no prepare"),
    ("directories", lambda swarm: read_only("/var/lib/libvirt/qemu/channel/target"), "Read-only file system"),
    ("memory directory", lambda swarm: read_only("/var/lib/libvirt/qemu/ram"), "Read-only file system"),
    ("no network", lambda swarm: defined(swarm, "network='default'", "network='nowhere'"), "nowhere"),
    ("no network daemon", lambda swarm: stopped(swarm, "virtnetworkd"), "virtnetworkd"),
    ("second card", lambda swarm: defined(
        swarm, "<graphics", "<interface type='bridge'><source bridge='nobridge'/></interface><graphics"), "nobridge"),
    ("image", lambda swarm: moved(IMAGE), "Cannot access storage file"),
    ("log daemon", lambda swarm: stopped(swarm, "virtlogd"), "virtlogd"),
    ("log of a character device", lambda swarm: defined(
        swarm, f"{NAME}-console.log", "nowhere/console.log"), "nowhere/console.log"),
    ("hook before the process", lambda swarm: failing_hook(swarm, "start"), "no start"),
    ("status file", lambda swarm: read_only_status(swarm), "Read-only file system"),
    ("no process", lambda swarm: with_emulator(swarm, "exit 7"), ""),
    ("process that ends", lambda swarm: with_argument(swarm, "-bad-argument"), "invalid option"),
    ("monitor that talks nonsense", lambda swarm: with_emulator(
        swarm, "exec /usr/bin/python3 -c 'import socket; s = socket.socket(fileno=30); "
        "c = s.accept()[0]; c.sendall(b\"nonsense\\r\\n\" * 3); c.recv(100)'"), ""),
    ("monitor that refuses", lambda swarm: with_argument(swarm, "--preconfig"), ""),
    ("hook after all", lambda swarm: failing_hook(swarm, "started"), "no started"),
]


@contextlib.contextmanager
def read_only_status(swarm):
    """The directory of status files cannot be written to; the daemon has its lock in there already."""
    subprocess.run(["mount", "--bind", "/run/libvirt/qemu", "/run/libvirt/qemu"], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", "/run/libvirt/qemu"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "/run/libvirt/qemu"], check=True)


def set_up(swarm):
    network.start_default(swarm)
    os.makedirs(variants.IMAGES, exist_ok=True)
    with open(IMAGE, "wb") as file:
        file.truncate(1 << 20)
    os.chown(IMAGE, *OWNER)
    text = swarm.domain(NAME, DEVICES).replace("<devices>", MEMORY + "<devices>", 1)
    swarm.virsh("define", "/dev/stdin", text=text)


def check_start(swarm):
    """The guest starts as if nothing had happened, with the first port of the displays."""
    swarm.virsh("start", "--paused", NAME)
    expect("port='5900'" in swarm.virsh("dumpxml", NAME), "the display's port was not given back")
    expect(os.stat(IMAGE).st_uid == 0, "the image is not QEMU's")
    swarm.virsh("destroy", NAME)
    check_nothing_left(swarm)


def test_each_step_of_a_start_fails(swarm):
    set_up(swarm)
    check_start(swarm)
    for step, broken, text in STEPS:
        with broken(swarm):
            error = swarm.virsh("start", NAME, ok=False)
            expect(text in error, f"{step}: '{text}' is not in '{error}'")
        try:
            check_nothing_left(swarm)
            check_start(swarm)
        except Exception as failure:
            raise type(failure)(f"after a failure of the {step} ({error.strip()}): {failure}") from failure


def test_saved_state_that_cannot_be_loaded(swarm):
    """The last steps: the process runs, and does not take what it is given."""
    set_up(swarm)
    swarm.virsh("start", NAME)
    swarm.virsh("save", NAME, "/var/lib/libvirt/fated.save")
    check_nothing_left(swarm)
    size = os.path.getsize("/var/lib/libvirt/fated.save")
    os.truncate("/var/lib/libvirt/fated.save", size - size // 3)
    swarm.virsh("restore", "/var/lib/libvirt/fated.save", ok=False)
    check_nothing_left(swarm)
    check_start(swarm)


def test_daemon_that_is_killed_during_a_start(swarm):
    """A daemon that died before there was a process cleans up after itself when it comes back."""
    set_up(swarm)
    gate = "/run/gate"
    os.mkfifo(gate)
    try:
        with hook(f'[ "$2" != start ] || cat {gate}\n'):
            starting = subprocess.Popen(["virsh", "-q", "-c", "qemu:///system", "start", NAME],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for("the hook", lambda: swarm.virsh("net-port-list", "default").strip() and glob.glob(
                f"/var/lib/libvirt/qemu/domain-*-{NAME}/monitor.sock"))
            # A reader is there as soon as the fifo can be opened for writing.
            writer = open_writer(gate)
            swarm.kill("virtqemud")
            os.close(writer)
            starting.wait(timeout=60)
        expect(glob.glob(f"/var/lib/libvirt/qemu/domain-*-{NAME}"), "nothing was left: the test is worth nothing")
        swarm.start("virtqemud")
        check_nothing_left(swarm)
        check_start(swarm)
    finally:
        os.remove(gate)


def open_writer(path):
    def opened():
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None
    return wait_for("the hook to read", opened)
