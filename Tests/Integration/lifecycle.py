"""A guest's life, as virsh and libvirt-python see it."""
import subprocess
import xml.etree.ElementTree as ElementTree

import libvirt
from swarm import Client, Failure, wait_for

STARTED, SUSPENDED, RESUMED, STOPPED, SHUTDOWN = (
    libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_RESUMED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN)


def expect(condition, text):
    if not condition:
        raise Failure(text)


def test_connection(swarm):
    version = swarm.virsh("version", "--daemon")
    expect("Running hypervisor: QEMU" in version, version)
    expect(swarm.virsh("uri").strip() == "qemu:///system", "uri")
    expect("CPU model" in swarm.virsh("nodeinfo"), "nodeinfo")
    capabilities = ElementTree.fromstring(swarm.virsh("capabilities"))
    expect(capabilities.find("./guest/arch[@name='x86_64']") is not None, "capabilities know no x86_64 guests")
    domain = ElementTree.fromstring(swarm.virsh("domcapabilities", "--virttype", "qemu"))
    expect(domain.find("./devices/disk") is not None, "domain capabilities know no disks")


def test_administration(swarm):
    for daemon in ("virtlogd", "virtlockd", "virtnetworkd", "virtstoraged", "virtqemud", "virtproxyd"):
        result = subprocess.run(["virt-admin", "-c", f"{daemon}:///system", "srv-list"], capture_output=True, text=True)
        expect(daemon in result.stdout and "admin" in result.stdout, f"{daemon}: {result.stdout}{result.stderr}")


def test_definition(swarm):
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("a"))
    expect(swarm.virsh("domstate", "a").strip() == "shut off", "state")
    expect("<name>a</name>" in swarm.virsh("dumpxml", "a"), "dumpxml")
    swarm.virsh("autostart", "a")
    expect("Autostart:      enable" in swarm.virsh("dominfo", "a"), "autostart")
    swarm.virsh("undefine", "a")
    expect("failed to get domain 'a'" in swarm.virsh("domstate", "a", ok=False), "still there")


def test_life(swarm):
    client = Client()
    swarm.boot("life")
    client.wait("life", STARTED)
    expect("running" in swarm.virsh("list"), "list")
    expect("state.state=1" in swarm.virsh("domstats", "life"), "domstats")
    swarm.virsh("suspend", "life")
    client.wait("life", SUSPENDED)
    expect(swarm.virsh("domstate", "life").strip() == "paused", "paused")
    swarm.virsh("resume", "life")
    client.wait("life", RESUMED)
    swarm.virsh("shutdown", "life")
    client.wait("life", STOPPED)
    expect(swarm.virsh("domstate", "life").strip() == "shut off", "shut off")
    swarm.virsh("start", "life", "--paused")
    expect(swarm.virsh("domstate", "life").strip() == "paused", "started paused")
    swarm.virsh("destroy", "life")
    wait_for("two stops", lambda: [e[1] for e in client.events if e[0] == "life"].count(STOPPED) == 2)
    client.close()


def test_reboot(swarm):
    swarm.boot("again")
    pid = swarm.pid("again")
    swarm.virsh("reset", "again")
    wait_for("the second boot", lambda: swarm.console("again").count("GUEST-UP") == 2)
    expect(swarm.pid("again") == pid, "a reset made a new process")


def test_transient(swarm):
    swarm.virsh("create", "/dev/stdin", text=swarm.domain("brief"))
    expect("Persistent:     no" in swarm.virsh("dominfo", "brief"), "persistent")
    swarm.virsh("destroy", "brief")
    swarm.virsh("domstate", "brief", ok=False)


def test_console(swarm):
    swarm.boot("talk")
    client = Client()
    stream = client.connection.newStream(0)
    client.connection.lookupByName("talk").openConsole(None, stream, 0)
    stream.send(b"echo hello\n")
    heard = b""
    while b"GUEST-SAYS hello" not in heard:
        heard += stream.recv(4096)
        expect(len(heard) < 1 << 20, "no answer on the console")
    stream.abort()
    wait_for("the console's log", lambda: "GUEST-SAYS hello" in swarm.console("talk"))
    client.close()


def test_monitor_command(swarm):
    swarm.boot("monitored")
    expect('"running":true' in swarm.virsh("qemu-monitor-command", "monitored", '{"execute":"query-status"}').replace(" ", ""),
           "query-status")


def test_failed_start(swarm):
    text = swarm.domain("broken").replace("vmlinuz", "no-such-kernel")
    swarm.virsh("define", "/dev/stdin", text=text)
    error = swarm.virsh("start", "broken", ok=False)
    expect("no-such-kernel" in error, error)
    expect(swarm.virsh("domstate", "broken").strip() == "shut off", "state after a failed start")
