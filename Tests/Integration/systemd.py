"""Every daemon is restarted and killed at random moments under a guest, beneath a real systemd: nothing is lost."""
import glob
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import tty

import libvirt

import network
import upgrade
from devices import make_image
from lifecycle import RESUMED, SUSPENDED, expect
from lockclient import AUTOCREATE, SHARED, LockClient, Owner, Prober, is_free
from logclient import LogClient
from swarm import DAEMONS, PATIENCE, Client, Failure, Swarm, read, wait_for

REPEAT = int(os.environ.get("VIRTSWARM_REPEAT", "3"))
FILTER = os.environ.get("VIRTSWARM_FILTER", "")
KILLS = int(os.environ.get("VIRTSWARM_KILLS", "10"))
BURST = 3000
NIC = "<interface type='network'><source network='default'/><model type='virtio'/></interface>"
POOL = "<pool type='dir'><name>stock</name><target><path>/var/lib/libvirt/images</path></target></pool>"


def systemctl(*arguments):
    result = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=PATIENCE)
    if result.returncode:
        raise Failure(f"systemctl {' '.join(arguments)}: {result.stdout}{result.stderr}")
    return result.stdout.strip()


def main_pid(daemon):
    """The daemon's process, once it says that it is ready."""
    def ready():
        lines = systemctl("show", "-p", "MainPID,ActiveState", f"{daemon}.service").splitlines()
        state = dict(line.split("=", 1) for line in lines)
        return state["ActiveState"] == "active" and int(state["MainPID"])
    return wait_for(f"{daemon} to be ready", ready)


def is_line(line, text):
    """QEMU itself writes a byte twice to its log when the reader of the terminal is behind."""
    line = line.rstrip("\r")
    return line == text or len(line) == len(text) + 1 and any(
        line[at] == line[at - 1] and line[:at] + line[at + 1:] == text for at in range(1, len(line)))


class Terminal:
    """The guest's console as a terminal sees it: what it prints is read, or the guest would wait."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.file)
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        try:
            while os.read(self.file, 65536):
                pass
        except OSError:
            pass

    def write(self, line):
        os.write(self.file, line.encode() + b"\n")


class Bench:
    """A guest with a network, a pool and a client, and what must stay as it is."""

    def __init__(self, swarm):
        self.swarm = swarm
        self.bursts = 0
        self.client = None

    def start(self):
        sockets = [os.path.basename(path) for path in glob.glob("/etc/systemd/system/virt*.socket")]
        systemctl("start", *sockets)
        network.start_default(self.swarm)
        self.swarm.virsh("pool-define", "/dev/stdin", text=POOL)
        self.swarm.virsh("pool-start", "stock")
        self.swarm.virsh("vol-create-as", "stock", "item", "1M")
        self.swarm.boot("steady", NIC)
        wait_for("an address", lambda: "GUEST-IP" in self.log())
        for daemon in DAEMONS:
            systemctl("start", f"{daemon}.service")
        self.client = Client()
        self.pid = self.swarm.pid("steady")
        xml = self.domain().XMLDesc()
        self.terminal = Terminal(re.search(r"<source path='(/dev/pts/\d+)'/>", xml).group(1))
        self.before = self.state()

    def domain(self):
        return self.client.connection.lookupByName("steady")

    def log(self):
        path = "/var/log/libvirt/qemu/steady-console.log"
        return "".join(read(path + suffix) for suffix in (".2", ".1", ".0", ""))

    def state(self):
        """Definitions, networks, leases and pools, as the client sees them."""
        connection = self.client.connection
        lan = connection.networkLookupByName("default")
        pools = connection.listAllStoragePools()
        return {
            "domains": sorted(each.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) for each in connection.listAllDomains()),
            "networks": sorted((each.name(), each.isActive(), each.XMLDesc()) for each in connection.listAllNetworks()),
            "leases": sorted((lease["mac"], lease["ipaddr"]) for lease in lan.DHCPLeases()),
            "pools": sorted((each.name(), each.isActive(), tuple(each.listVolumes())) for each in pools),
        }

    def burst(self):
        """Has the guest write fast, when the burst before is over."""
        self.await_bursts()
        self.bursts += 1
        self.terminal.write(f"burst {BURST}")

    def complete_bursts(self):
        """How many bursts are in the log with each of their lines in its place, and the first line that is not."""
        complete, expected = 0, 1
        for line in self.log().rpartition("\n")[0].splitlines():
            if is_line(line, f"burst {expected}"):
                complete, expected = (complete, expected + 1) if expected < BURST else (complete + 1, 1)
            elif "urst" in line:
                return complete, f"{line!r} instead of {expected}"
        return complete, None

    def await_bursts(self):
        def done():
            complete, broken = self.complete_bursts()
            expect(not broken, f"the log is broken in burst {complete + 1} of {self.bursts}: {broken}")
            return complete == self.bursts
        wait_for("the burst in the log", done)

    def check_log(self):
        """Each number of each burst, and each tick, stands in the log just once."""
        self.await_bursts()
        ticks = [int(number) for number in re.findall(r"^tick (\d+)\r*$", self.log(), re.M)]
        expect(ticks == list(range(1, len(ticks) + 1)), f"ticks are missing: {ticks[:5]}...{ticks[-5:]}")

    def check_guest(self, daemon):
        """The guest is the same process, does what it is told, and the client hears of it."""
        expect(self.swarm.pid("steady") == self.pid, "the guest is another process")
        os.kill(self.pid, 0)
        if daemon == "virtproxyd":
            wait_for("the client to hear of the proxy's end", lambda: self.client.closed)
            self.client = Client()
        domain = self.domain()
        self.await_bursts()
        del self.client.events[:]
        domain.suspend()
        self.client.wait("steady", SUSPENDED)
        domain.resume()
        self.client.wait("steady", RESUMED)
        expect(not self.client.closed, "the client's connection was closed")
        state = self.state()
        for key, value in self.before.items():
            expect(state[key] == value, f"the {key} changed: {value} -> {state[key]}")


def restart(daemon):
    systemctl("restart", f"{daemon}.service")


def kill(daemon):
    old = main_pid(daemon)
    os.kill(old, signal.SIGKILL)
    wait_for(f"another {daemon}", lambda: main_pid(daemon) != old)


def strike(bench, daemon, action):
    """One daemon's end, again and again, at moments of no choice, while the guest writes."""
    for _ in range(REPEAT):
        if daemon in ("virtlogd", "virtqemud"):
            bench.burst()
        time.sleep(random.uniform(0, 0.7))
        action(daemon)
        bench.check_guest(daemon)
    bench.check_log()


def kill_under_locks():
    """Ten locks are held by owners of their own, and nobody else gets one, whenever virtlockd is killed."""
    systemctl("start", "virtlockd.socket", "virtlockd-admin.socket")
    disks = [make_image(f"held-{number}.raw") for number in range(10)]
    space = "/run/lockspace"
    LockClient().create_space(space)
    owners = [Owner([("", disk, 0), (space, f"lease-{index}", AUTOCREATE)]) for index, disk in enumerate(disks)]
    sharers = [Owner([(space, "common", SHARED | AUTOCREATE)]) for _ in range(3)]
    files = disks + [f"{space}/lease-{index}" for index in range(len(disks))] + [f"{space}/common"]
    prober = Prober(files)
    try:
        for number in range(KILLS):
            time.sleep(random.uniform(0, 0.1))
            if number == KILLS // 2:
                systemctl("reload", "virtlockd.service")
                restart("virtlockd")
            kill("virtlockd")
        for owner in owners + sharers:
            expect(os.waitpid(owner.pid, os.WNOHANG) == (0, 0), "an owner was ended")
    finally:
        rounds, taken = prober.stop()
    print(f"     {KILLS} kills, {rounds} probes of {len(files)} locks", flush=True)
    expect(not taken, f"locks were free: {taken}")
    # One whose owner ends while there is no virtlockd.
    old = main_pid("virtlockd")
    os.kill(old, signal.SIGKILL)
    owners.pop().end()
    sharers.pop().end()
    wait_for("another virtlockd", lambda: main_pid("virtlockd") != old)
    wait_for("the lock of an owner that has ended to go", lambda: is_free(disks[-1]))
    expect(not is_free(f"{space}/common"), "the others' shared lock is gone")
    for owner in owners + sharers:
        owner.end()
    for path in disks:
        wait_for(f"{path} to be free", lambda: is_free(path))
    wait_for("the leases to go", lambda: not os.listdir(space))
    # What is left is the space.
    count = lambda: systemctl("show", "-p", "NFileDescriptorStore", "--value", "virtlockd.service")
    wait_for("the store to be empty", lambda: count() == "1")


def strike_writers():
    """virtlogd is killed and replaced at moments of no choice while ten writers write as fast as they can."""
    with open("/etc/libvirt/virtlogd.conf", "w") as file:
        file.write("max_size = 65536\nmax_backups = 32\n")
    restart("virtlogd")
    main_pid("virtlogd")
    client, done = LogClient(), threading.Event()
    paths = [f"/var/log/libvirt/writer-{index}.log" for index in range(10)]
    writers = [upgrade.Writer(client.open(path, f"writer-{index}"), path, done) for index, path in enumerate(paths)]
    try:
        for index in range(KILLS):
            time.sleep(random.uniform(0, 0.2))
            if index % 3 == 2:
                systemctl("reload", "virtlogd.service")
            else:
                kill("virtlogd")
            for writer in writers:
                expect(not writer.error, str(writer.error))
    finally:
        done.set()
        for writer in writers:
            writer.join(PATIENCE)
        os.unlink("/etc/libvirt/virtlogd.conf")
    for writer in writers:
        expect(not writer.error and not writer.is_alive(), str(writer.error))
    expect(stored("virtlogd") > 0, "the guest's log is not in the descriptor store")
    wait_for("the writers' pipes to leave the store", lambda: stored("virtlogd") <= 4)


def stored(daemon):
    """Descriptors that systemd keeps for a daemon."""
    return int(systemctl("show", "-p", "NFileDescriptorStore", "--value", f"{daemon}.service"))


def attempt(name, body):
    begin = time.monotonic()
    try:
        body()
        print(f"ok   systemd.{name} ({time.monotonic() - begin:.1f} s)", flush=True)
        return True
    except Exception as error:
        print(f"FAIL systemd.{name}: {error if isinstance(error, Failure) else traceback.format_exc()}", flush=True)
        for daemon in DAEMONS:
            tail = read(f"/run/{daemon}.stderr")[-1500:]
            if tail:
                print(f"--- {daemon}:\n{tail}", flush=True)
        return False


def main():
    bench = Bench(Swarm(*sys.argv[1:3]))
    locks = f"virtlockd kill under locks x {KILLS}"
    results = [attempt(locks, kill_under_locks)] if FILTER in locks else []
    results.append(attempt("sockets start the daemons", bench.start))
    if results[-1]:
        strikes = [(f"{daemon} {action.__name__} x {REPEAT}", lambda daemon=daemon, action=action: strike(
            bench, daemon, action)) for daemon in DAEMONS for action in (restart, kill)]
        strikes.append((f"virtlogd under ten writers, kill and reload x {KILLS}", strike_writers))
        results += [attempt(name, body) for name, body in strikes if FILTER in name]
    print(f"{sum(results)} passed, {results.count(False)} failed", flush=True)
    sys.exit(0 if all(results) else 1)


main()
