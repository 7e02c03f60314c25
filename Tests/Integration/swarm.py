"""The swarm under test: its daemons as processes, virsh, and guests."""
import os
import signal
import socket
import subprocess
import threading
import time

import libvirt

DAEMONS = ["virtlogd", "virtlockd", "virtnetworkd", "virtstoraged", "virtqemud", "virtproxyd"]
SOCKET = {"virtproxyd": "libvirt", "libvirtd": "libvirt"}
PATIENCE = 120


class Failure(Exception):
    pass


def wait_for(what, condition, seconds=PATIENCE):
    """Polls until the condition holds; the time is a bound for broken runs, not a measure."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f"timed out waiting for {what}")
        time.sleep(0.05)


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def listens(path):
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(path)
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False


class Swarm:
    def __init__(self, build, guest):
        self.build, self.guest = build, guest
        # The files of the guests belong to root here; the user that Debian's package makes need not exist.
        with open("/etc/libvirt/qemu.conf", "w") as file:
            file.write('user = "root"\ngroup = "root"\n')
        self.processes = {}

    def start(self, *names):
        for name in names or DAEMONS:
            log = open(f"/run/{name}.stderr", "ab")
            self.processes[name] = subprocess.Popen(
                [f"{self.build}/{name}"], stderr=log, stdout=log, stdin=subprocess.DEVNULL, start_new_session=True)
        for name in names or DAEMONS:
            path = f"/run/libvirt/{SOCKET.get(name, name)}-sock"
            wait_for(f"the socket of {name}", lambda: listens(path) or self.check_alive(name))

    def start_other(self, name, path):
        """Another program, for instance C libvirt's, in a daemon's place."""
        log = open(f"/run/{name}.stderr", "ab")
        self.processes[name] = subprocess.Popen(
            [path], stderr=log, stdout=log, stdin=subprocess.DEVNULL, start_new_session=True)
        socket_path = f"/run/libvirt/{SOCKET.get(name, name)}-sock"
        wait_for(f"the socket of {path}", lambda: listens(socket_path) or self.check_alive(name))

    def check_alive(self, name):
        if self.processes[name].poll() is not None:
            raise Failure(f"{name} ended with {self.processes[name].returncode}: {read(f'/run/{name}.stderr')[-2000:]}")
        return False

    def kill(self, name, number=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(timeout=PATIENCE)

    def restart(self, name, number=signal.SIGKILL):
        self.kill(name, number)
        self.start(name)

    def stop(self):
        for name in reversed(DAEMONS):
            if name in self.processes:
                self.kill(name, signal.SIGTERM)

    def virsh(self, *arguments, ok=True, uri="qemu:///system", text=None):
        """Standard output, or with ok=False the error of a command that must fail; ok=None takes both."""
        result = subprocess.run(
            ["virsh", "-q", "-c", uri, *arguments], capture_output=True, text=True, input=text, timeout=PATIENCE)
        if ok is not None and (result.returncode == 0) != ok:
            raise Failure(f"virsh {' '.join(arguments)}: status {result.returncode}: {result.stdout}{result.stderr}")
        return result.stderr if ok is False else result.stdout

    def domain(self, name, devices="", memory=160, machine="q35", console=None):
        """A guest of the small Linux, its console going to a file through virtlogd."""
        console = console or f"/var/log/libvirt/qemu/{name}-console.log"
        return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='{machine}'>hvm</type><kernel>{self.guest}/vmlinuz</kernel>
<initrd>{self.guest}/initrd.gz</initrd><cmdline>console=ttyS0 quiet panic=1</cmdline></os>
<features><acpi/></features>
<devices>{devices}<serial type='pty'><log file='{console}' append='off'/></serial></devices></domain>"""

    def console(self, name):
        return read(f"/var/log/libvirt/qemu/{name}-console.log")

    def boot(self, name, devices="", **options):
        self.virsh("define", "/dev/stdin", text=self.domain(name, devices, **options))
        self.boot_again(name)

    def boot_again(self, name):
        self.virsh("start", name)
        wait_for(f"guest {name}", lambda: "GUEST-UP" in self.console(name))

    def pid(self, name):
        return int(read(f"/run/libvirt/qemu/{name}.pid"))


class Client:
    """A libvirt-python client behind virtproxyd, with lifecycle events registered."""

    running = False

    def __init__(self, uri="qemu:///system?socket=/run/libvirt/libvirt-sock"):
        if not Client.running:
            libvirt.virEventRegisterDefaultImpl()
            libvirt.registerErrorHandler(lambda *_: None, None)
            threading.Thread(target=self.loop, daemon=True).start()
            Client.running = True
        self.connection = libvirt.open(uri)
        self.events = []
        self.closed = []
        self.connection.registerCloseCallback(lambda _, reason, __: self.closed.append(reason), None)
        self.connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self.on_event, None)

    @staticmethod
    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    def on_event(self, connection, domain, event, detail, _):
        self.events.append((domain.name(), event, detail))

    def wait(self, name, event):
        wait_for(f"event {event} of {name}, got {self.events}", lambda: any(e[:2] == (name, event) for e in self.events))

    def close(self):
        self.connection.close()
