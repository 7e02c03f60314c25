"""Every daemon can be killed at any instant: guests go on, and clients behind the proxy keep their connection."""
import os
import random
import signal
import subprocess
import time

import failures
import network
from lifecycle import RESUMED, SUSPENDED, expect
from swarm import Client, wait_for

NIC = "<interface type='network'><source network='default'/><model type='virtio'/></interface>"


def check_guest(swarm, client, pid):
    """The guest is the same process, does what it is told, and the client hears of it."""
    domain = client.connection.lookupByName("steady")
    del client.events[:]
    domain.suspend()
    client.wait("steady", SUSPENDED)
    domain.resume()
    client.wait("steady", RESUMED)
    expect(swarm.pid("steady") == pid, "the guest is another process")
    expect(not client.closed, "the client's connection was closed")


def test_daemons_are_killed_under_a_guest(swarm):
    network.start_default(swarm)
    swarm.boot("steady", NIC)
    wait_for("an address", lambda: "GUEST-IP" in swarm.console("steady"))
    client = Client()
    pid = swarm.pid("steady")
    leases = swarm.virsh("net-dhcp-leases", "default")
    for daemon in ("virtqemud", "virtnetworkd", "virtstoraged", "virtlockd"):
        for number in (signal.SIGTERM, signal.SIGKILL):
            swarm.restart(daemon, number)
            check_guest(swarm, client, pid)
    expect(swarm.virsh("net-dhcp-leases", "default") == leases, "the leases changed")
    expect("active" in swarm.virsh("net-list"), "the network is down")
    swarm.virsh("destroy", "steady")
    client.close()


def test_proxy_restart(swarm):
    swarm.boot("fronted")
    pid = swarm.pid("fronted")
    swarm.restart("virtproxyd")
    client = Client()
    expect(client.connection.lookupByName("fronted").isActive() == 1, "the guest is gone")
    expect(swarm.pid("fronted") == pid, "the guest is another process")
    client.close()


def test_guest_that_ends_while_the_daemon_is_away(swarm):
    swarm.boot("orphan")
    pid = swarm.pid("orphan")
    swarm.kill("virtqemud")
    os.kill(pid, signal.SIGKILL)
    swarm.start("virtqemud")
    wait_for("the end to be noticed", lambda: swarm.virsh("domstate", "orphan", ok=None).strip() == "shut off")


def test_kill_during_start(swarm):
    """Whatever the instant, the guest afterwards runs under control or not at all."""
    network.start_default(swarm)
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("fragile", NIC))
    for _ in range(5):
        process = subprocess.Popen(["virsh", "-q", "-c", "qemu:///system", "start", "fragile"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.6))
        swarm.restart("virtqemud")
        process.wait(timeout=120)
        state = wait_for("a state", lambda: swarm.virsh("domstate", "fragile", ok=None).strip())
        if state != "shut off":
            swarm.virsh("destroy", "fragile")
        expect(swarm.virsh("domstate", "fragile").strip() == "shut off", "cannot be destroyed")
        wait_for(f"nothing to be left, there is {failures.leftovers(swarm, 'fragile')}",
                 lambda: not failures.leftovers(swarm, "fragile"))
