"""virtlockd and what guests lock through it: with C's daemons in every place where they are installed."""
import fcntl
import glob
import os
import signal
import subprocess
import time

from devices import IMAGES, PLUG, make_image
from lifecycle import expect
from lockclient import (
    AUTOCREATE, CREATE_SPACE, SHARED, LockClient, LockError, Owner, Prober, is_free, pack_string)
from swarm import Failure, wait_for

C_LOCKD = "/usr/sbin/virtlockd"
C_LIBVIRTD = "/usr/sbin/libvirtd"
CONFIGURATION = 'user = "root"\ngroup = "root"\n'
DISK = """<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>
<target dev='{}' bus='virtio'/>{}</disk>"""


def skip(what):
    print(f"skip {what} is not installed", flush=True)


class Locking:
    """The swarm with `lock_manager = "lockd"`, and back to none afterwards."""

    def __init__(self, swarm, settings="", lockd=None):
        self.swarm, self.settings, self.lockd = swarm, settings, lockd

    def __enter__(self):
        self.configure(CONFIGURATION + 'lock_manager = "lockd"\n', self.settings)
        if self.lockd:
            self.swarm.kill("virtlockd", signal.SIGTERM)
            self.swarm.start_other("virtlockd", self.lockd)

    def __exit__(self, *_):
        for name in self.swarm.virsh("list", "--name", ok=None).split():
            self.swarm.virsh("destroy", name, ok=None)
        self.configure(CONFIGURATION, "")
        if self.lockd:
            self.swarm.restart("virtlockd", signal.SIGTERM)

    def configure(self, main, settings):
        with open("/etc/libvirt/qemu.conf", "w") as file:
            file.write(main)
        with open("/etc/libvirt/qemu-lockd.conf", "w") as file:
            file.write(settings)
        self.swarm.restart("virtqemud", signal.SIGTERM)


def define(swarm, name, *disks):
    swarm.virsh("define", "/dev/stdin", text=swarm.domain(name, "".join(disks)))


def state(path):
    return "free" if is_free(path) else "shared" if is_free(path, fcntl.LOCK_SH) else "exclusive"


def await_state(path, wanted):
    wait_for(f"{path} to be {wanted}", lambda: state(path) == wanted)


def use_locks(swarm):
    """A guest's locks over its life, whoever keeps them."""
    written, read, both = (make_image(name) for name in ("written.raw", "read.raw", "both.raw"))
    extra = make_image("extra.raw")
    disks = (DISK.format(written, "vda", ""), DISK.format(read, "vdb", "<readonly/>"),
             DISK.format(both, "vdc", "<shareable/>"))
    define(swarm, "one", *disks)
    swarm.virsh("start", "one")
    states = lambda: [state(path) for path in (written, read, both)]
    expect(states() == ["exclusive", "free", "shared"], f"at start: {states()}")

    # It lets go of a disk: it has to be up.
    swarm.boot("two", DISK.format(both, "vda", "<shareable/>"))
    error = swarm.virsh("attach-device", "two", "/dev/stdin", "--live", text=PLUG.format(written), ok=False)
    expect(f"resource busy: Lockspace resource '{written}' is locked" in error, f"a second guest: {error}")
    swarm.virsh("attach-device", "two", "/dev/stdin", "--live", text=PLUG.format(extra))
    expect(state(extra) == "exclusive", "a plugged disk is not locked")
    swarm.virsh("detach-disk", "two", "vdb", "--live")
    await_state(extra, "free")

    swarm.virsh("suspend", "one")
    expect(states() == ["free", "free", "shared"], f"while it is paused: {states()}")
    with open(written, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
        error = swarm.virsh("resume", "one", ok=False)
        expect(f"resource busy: Lockspace resource '{written}' is locked" in error, f"resume: {error}")
        expect(swarm.virsh("domstate", "one").strip() == "paused", "the guest runs without its lock")
    swarm.virsh("resume", "one")
    expect(states() == ["exclusive", "free", "shared"], f"after the resume: {states()}")
    swarm.virsh("destroy", "two")
    expect(states() == ["exclusive", "free", "shared"], f"after the other's end: {states()}")
    os.kill(swarm.pid("one"), signal.SIGKILL)
    for path in (written, both):
        await_state(path, "free")


def test_locks_of_a_guest(swarm):
    with Locking(swarm):
        use_locks(swarm)


def test_locks_of_a_guest_with_the_other_virtlockd(swarm):
    if not os.path.exists(C_LOCKD):
        return skip(C_LOCKD)
    with Locking(swarm, lockd=C_LOCKD):
        use_locks(swarm)


def test_another_host_has_the_disk(swarm):
    path = make_image("elsewhere.raw")
    with Locking(swarm), open(path, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 0)
        define(swarm, "late", DISK.format(path, "vda", ""))
        error = swarm.virsh("start", "late", ok=False)
        expect(f"resource busy: Lockspace resource '{path}' is locked" in error, f"start: {error}")
        expect(swarm.virsh("domstate", "late").strip() == "shut off", "the guest was left")
        swarm.virsh("start", "late", "--paused")
        swarm.virsh("resume", "late", ok=False)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, 0)
        swarm.virsh("resume", "late")


def test_spaces_of_files(swarm):
    path = make_image("indirect.raw")
    space = "/var/lib/libvirt/lockd/files"
    with Locking(swarm, f'file_lockspace_dir = "{space}"\n'):
        define(swarm, "indirect", DISK.format(path, "vda", ""))
        swarm.virsh("start", "indirect")
        digest = subprocess.run(["sha256sum"], input=path.encode(), capture_output=True).stdout.decode().split()[0]
        expect(state(f"{space}/{digest}") == "exclusive", "the digest's file is not locked")
        expect(state(path) == "free", "the image itself is locked")
        swarm.virsh("destroy", "indirect")
        wait_for("the lease to go", lambda: not os.listdir(space))


def test_guests_without_leases(swarm):
    path = make_image("unleased.raw")
    with Locking(swarm, "auto_disk_leases = 0\n"):
        define(swarm, "unleased", DISK.format(path, "vda", ""))
        error = swarm.virsh("start", "unleased", ok=False)
        expect("disks were present, but no leases specified" in error, f"start: {error}")


def test_no_virtlockd(swarm):
    path = make_image("unguarded.raw")
    with Locking(swarm):
        define(swarm, "unguarded", DISK.format(path, "vda", ""))
        swarm.kill("virtlockd", signal.SIGTERM)
        error = swarm.virsh("start", "unguarded", ok=False)
        expect("Failed to connect socket to '/run/libvirt/virtlockd-sock'" in error, f"start: {error}")
        expect(swarm.virsh("domstate", "unguarded").strip() == "shut off", "the guest was left")
        swarm.start("virtlockd")
        swarm.virsh("start", "unguarded")
        pid = swarm.pid("unguarded")
        # Without a service manager the locks end with their daemon; the guest does not.
        for number in (signal.SIGTERM, signal.SIGKILL):
            swarm.restart("virtlockd", number)
            os.kill(pid, 0)
        swarm.virsh("suspend", "unguarded")
        swarm.virsh("resume", "unguarded")
        expect(state(path) == "exclusive", "the lock was not taken again")


def test_virtqemud_restarts_under_locks(swarm):
    path = make_image("kept.raw")
    with Locking(swarm):
        define(swarm, "kept", DISK.format(path, "vda", ""))
        swarm.virsh("start", "kept")
        swarm.restart("virtqemud")
        expect(state(path) == "exclusive", "the lock is gone")
        wait_for("the guest", lambda: swarm.virsh("domstate", "kept", ok=None).strip() == "running")
        swarm.virsh("suspend", "kept")
        expect(state(path) == "free", "the lock was not given up")
        swarm.virsh("resume", "kept")
        swarm.virsh("destroy", "kept")
        await_state(path, "free")


# ---- The program itself

def refused(code, text, call, *arguments):
    try:
        call(*arguments)
    except LockError as error:
        expect((error.code, error.text) == (code, text), f"{error.code}: {error.text}")
        return
    raise Failure(f"'{text}' was to be said")


def test_lock_program(swarm):
    disk = make_image("program.raw")
    space = "/run/lockspace"
    client = LockClient()
    refused(55, "Requested operation is not valid: lock owner details have not been registered",
            client.acquire, "", disk)
    client.create_space(space)
    client.register(4242)
    client.create_space(space)
    refused(1, f"internal error: Lockspace for path {space} already exists", client.new, space)
    refused(8, "unsupported flags (0x4) in function virLockSpaceProtocolDispatchAcquireResource",
            client.acquire, space, "a", 4)
    client.create(space, "a")
    client.acquire(space, "a")
    refused(87, "resource busy: Lockspace resource 'a' is locked", client.delete, space, "a")
    other = LockClient(pid=777, number=2)
    refused(87, "resource busy: Lockspace resource 'a' is locked", other.acquire, space, "a", SHARED)
    refused(1, "internal error: owner 777 does not hold the resource lock", other.release, space, "a")
    client.acquire("", disk, SHARED)
    other.acquire("", disk, SHARED)
    client.release("", disk)
    expect(state(disk) == "shared", "the other's lock is gone")
    client.close()
    # Who is not the owner takes nothing along.
    refused(87, "resource busy: Lockspace resource 'a' is locked", other.acquire, space, "a")
    other.acquire(space, "made", AUTOCREATE)
    other.release(space, "made")
    expect(not os.path.exists(f"{space}/made"), "the file was left")
    again = LockClient(pid=4242)
    again.release(space, "a")
    again.delete(space, "a")
    other.release("", disk)
    other.restrict()
    refused(29, "operation forbidden: lock manager connection has been restricted", other.acquire, "", disk)


def test_owner_that_gives_up_its_connection(swarm):
    """It must not go on writing: it is ended, by force if it does not obey."""
    disk = make_image("given-up.raw")
    for obeys in (True, False):
        ready, done = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if obeys else signal.SIG_IGN)
            client = LockClient(os.getpid())
            client.acquire("", disk)
            os.write(done, b"x")
            client.close()
            while True:
                time.sleep(60)
        os.read(ready, 1)
        status = os.waitpid(pid, 0)[1]
        expect(os.WTERMSIG(status) == (signal.SIGTERM if obeys else signal.SIGKILL), f"ended with {status}")
        await_state(disk, "free")
        os.close(ready)
        os.close(done)


# ---- Upgrades in place

def replace(swarm, link, binary):
    """Points the daemon's path to another program, as an upgrade does, and has it replace the one that runs."""
    pid = swarm.processes["virtlockd"].pid
    before = os.readlink(f"/proc/{pid}/exe")
    os.symlink(binary, f"{link}.new")
    os.rename(f"{link}.new", link)
    os.kill(pid, signal.SIGUSR1)
    wanted = os.path.realpath(binary)
    if wanted == before:
        return
    wait_for(f"{wanted} to run", lambda: swarm.check_alive("virtlockd") or os.readlink(f"/proc/{pid}/exe") == wanted)


def upgrade(swarm, rounds, binaries):
    """Locks are held by owners of all kinds while one program follows the other; nobody else ever gets one."""
    disks = [make_image(f"held-{number}.raw") for number in range(10)]
    space = "/run/lockspace"
    link = "/run/virtlockd-link"
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(binaries[0], link)
    swarm.kill("virtlockd", signal.SIGTERM)
    swarm.start_other("virtlockd", link)
    LockClient().create_space(space)
    owners = [Owner([("", disk, 0), (space, f"lease-{index}", AUTOCREATE)], restrict=index % 2 == 0)
              for index, disk in enumerate(disks)]
    files = disks + [f"{space}/lease-{index}" for index in range(len(disks))]
    sharers = [Owner([(space, "common", SHARED | AUTOCREATE)]) for _ in range(2)]
    caller = LockClient(pid=4242)
    prober = Prober(files)
    sharing = Prober([f"{space}/common"])
    try:
        for number in range(rounds):
            # A call that C's program has read and not answered when it is replaced, is lost.
            has_call = binaries[number % len(binaries)] != C_LOCKD
            if has_call:
                caller.send(CREATE_SPACE, pack_string(space))
            replace(swarm, link, binaries[(number + 1) % len(binaries)])
            if has_call:
                caller.answer()
            caller.create_space(space)
        for owner in owners + sharers:
            expect(os.waitpid(owner.pid, os.WNOHANG) == (0, 0), "an owner was ended")
    finally:
        probes, taken = prober.stop()
        _, shared = sharing.stop()
    print(f"     {rounds} upgrades, {probes} probes of {len(files)} locks", flush=True)
    expect(not taken and not shared, f"locks were free: {taken} {shared}")
    refused(87, f"resource busy: Lockspace resource '{disks[0]}' is locked", caller.acquire, "", disks[0])
    sharers.pop().end()
    expect(state(f"{space}/common") == "shared", "the other's shared lock is gone")
    for owner in owners + sharers:
        owner.end()
    for path in disks:
        await_state(path, "free")
    wait_for("the leases to go", lambda: all(is_free(path) for path in glob.glob(f"{space}/*")))
    caller.close()
    swarm.restart("virtlockd", signal.SIGTERM)


def test_upgrade_in_place(swarm):
    upgrade(swarm, int(os.environ.get("VIRTSWARM_UPGRADES", "20")), [f"{swarm.build}/virtlockd"])


def test_upgrade_in_place_from_and_to_the_other_virtlockd(swarm):
    if not os.path.exists(C_LOCKD):
        return skip(C_LOCKD)
    upgrade(swarm, int(os.environ.get("VIRTSWARM_UPGRADES", "20")), [C_LOCKD, f"{swarm.build}/virtlockd"])


def test_upgrade_under_a_guest(swarm):
    """The connection that QEMU inherited goes from program to program, and still ends the guest's locks."""
    path = make_image("upgraded.raw")
    with Locking(swarm):
        define(swarm, "upgraded", DISK.format(path, "vda", ""))
        swarm.virsh("start", "upgraded")
        pid = swarm.pid("upgraded")
        client = LockClient()
        for _ in range(3):
            os.kill(swarm.processes["virtlockd"].pid, signal.SIGUSR1)
            client.create_space("/run/lockspace")
        os.kill(pid, 0)
        expect(state(path) == "exclusive", "the lock is gone")
        os.kill(pid, signal.SIGKILL)
        await_state(path, "free")
        client.close()


def test_hostile_state(swarm):
    """A document that makes no sense costs the locks in it, not the daemon."""
    state_file = "/run/virtlockd-restart-exec.json"
    for text in (b"", b"{", b'{"magic":"1"}', b"[" * 100000, os.urandom(1000)):
        swarm.kill("virtlockd", signal.SIGTERM)
        with open(state_file, "wb") as file:
            file.write(text)
        swarm.start("virtlockd")
        LockClient(pid=1).close()
        expect(not os.path.exists(state_file), "the document was left")


# ---- C libvirtd's guests

def test_guests_of_the_other_libvirtd(swarm):
    if not os.path.exists(C_LIBVIRTD):
        return skip(C_LIBVIRTD)
    path = make_image("foreign.raw")
    with open("/etc/libvirt/libvirtd.conf", "w") as file:
        file.write('auth_unix_rw = "none"\n')
    replaced = ("virtqemud", "virtproxyd", "virtnetworkd", "virtstoraged")
    for name in replaced:
        swarm.kill(name, signal.SIGTERM)
    with open("/etc/libvirt/qemu.conf", "w") as file:
        file.write(CONFIGURATION + 'lock_manager = "lockd"\nnamespaces = []\n')
    uri = "qemu:///system?socket=/run/libvirt/libvirt-sock"
    try:
        swarm.start_other("libvirtd", C_LIBVIRTD)
        for name in ("mine", "yours"):
            swarm.virsh("define", "/dev/stdin", uri=uri,
                        text=swarm.domain(name, DISK.format(path, "vda", "") if name == "mine" else ""))
            swarm.virsh("start", name, uri=uri)
        expect(state(path) == "exclusive", "the disk is not locked")
        error = swarm.virsh("attach-device", "yours", "/dev/stdin", "--live", uri=uri, text=PLUG.format(path), ok=False)
        expect(f"resource busy: Lockspace resource '{path}' is locked" in error, f"a second guest: {error}")
        swarm.virsh("suspend", "mine", uri=uri)
        expect(state(path) == "free", "the lock is held while the guest is paused")
        swarm.virsh("resume", "mine", uri=uri)
        os.kill(swarm.processes["virtlockd"].pid, signal.SIGUSR1)
        swarm.virsh("destroy", "mine", uri=uri)
        await_state(path, "free")
    finally:
        for name in ("mine", "yours"):
            swarm.virsh("destroy", name, uri=uri, ok=None)
            swarm.virsh("undefine", name, uri=uri, ok=None)
        if "libvirtd" in swarm.processes:
            swarm.kill("libvirtd", signal.SIGTERM)
        with open("/etc/libvirt/qemu.conf", "w") as file:
            file.write(CONFIGURATION)
        swarm.start(*replaced)
