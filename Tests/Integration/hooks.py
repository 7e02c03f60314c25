"""Hook scripts: called with libvirt's arguments and the document on their input, and asked whether to go on."""
import contextlib
import os
import shutil
import signal
import xml.etree.ElementTree as ElementTree

import network
from lifecycle import expect
from swarm import read, wait_for

DIRECTORY = "/etc/libvirt/hooks"
CALLS = "/run/hook-calls"
RECORDER = """#!/bin/sh
number=$(ls {calls} | wc -l)
cat >{calls}/$(printf %03d "$number").xml
printf '%s\\n' "{name} $*" >>{calls}/../hook-lines
"""


@contextlib.contextmanager
def recorders(*names):
    """Scripts that note how they are called."""
    shutil.rmtree(CALLS, ignore_errors=True)
    os.makedirs(CALLS)
    for name in names:
        path = f"{DIRECTORY}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(RECORDER.format(calls=CALLS, name=name))
        os.chmod(path, 0o755)
    try:
        yield
    finally:
        shutil.rmtree(DIRECTORY)
        if os.path.exists("/run/hook-lines"):
            os.remove("/run/hook-lines")


def lines():
    return read("/run/hook-lines").splitlines()


def documents():
    return [ElementTree.fromstring(read(f"{CALLS}/{name}")) for name in sorted(os.listdir(CALLS))]


def test_qemu_hook(swarm):
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("hooked"))
    with recorders("qemu", "qemu.d/10-more"):
        swarm.virsh("start", "--paused", "hooked")
        swarm.restart("virtqemud")
        wait_for("the guest to be found", lambda: "qemu hooked reconnect begin -" in lines())
        swarm.virsh("destroy", "hooked")
        expected = [f"{script} hooked {operation} -" for operation in (
            "prepare begin", "start begin", "started begin", "reconnect begin", "stopped end", "release end")
            for script in ("qemu", "qemu.d/10-more")]
        expect(lines() == expected, f"calls: {lines()}")
        roots = documents()
        expect(len(roots) == len(expected) and all(
            root.tag == "domain" and root.findtext("name") == "hooked" for root in roots), "documents")
        expect(roots[4].get("id") is not None, "the live document is not what the start hook gets")


def test_qemu_hook_that_fails(swarm):
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("refused"))
    os.makedirs(DIRECTORY)
    try:
        with open(f"{DIRECTORY}/qemu", "w") as file:
            file.write('#!/bin/sh\n[ "$2" != prepare ] || { echo "not today" >&2; exit 3; }\n')
        os.chmod(f"{DIRECTORY}/qemu", 0o755)
        error = swarm.virsh("start", "refused", ok=False)
        expect("not today" in error and "Hook script execution failed" in error, error)
        expect(swarm.virsh("domstate", "refused").strip() == "shut off", "it runs")
    finally:
        shutil.rmtree(DIRECTORY)


def test_daemon_hook(swarm):
    with recorders("daemon"):
        swarm.restart("virtstoraged", signal.SIGTERM)
        swarm.processes["virtstoraged"].send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: "daemon - reload begin SIGHUP" in lines())
        expect(lines() == ["daemon - shutdown - shutdown", "daemon - start - start", "daemon - reload begin SIGHUP"],
               f"calls: {lines()}")


def test_network_hook(swarm):
    with recorders("network"):
        network.start_default(swarm)
        nic = "<interface type='network'><source network='default'/></interface>"
        swarm.virsh("define", "/dev/stdin", text=swarm.domain("wired", nic))
        swarm.virsh("start", "--paused", "wired")
        swarm.virsh("destroy", "wired")
        swarm.virsh("net-destroy", "default")
        expected = [f"network default {operation} -" for operation in (
            "start begin", "started begin", "port-created begin", "port-deleted begin", "stopped end")]
        expect(lines() == expected, f"calls: {lines()}")
        roots = documents()
        expect(all(root.tag == "hookData" and root.findtext("network/name") == "default" for root in roots),
               [ElementTree.tostring(root) for root in roots])
        expect(roots[2].find("networkport/mac") is not None, "the port is not in its document")


def test_network_hook_that_fails(swarm):
    os.makedirs(DIRECTORY)
    try:
        with open(f"{DIRECTORY}/network", "w") as file:
            file.write('#!/bin/sh\n[ "$2" != started ] || { echo "no net" >&2; exit 1; }\n')
        os.chmod(f"{DIRECTORY}/network", 0o755)
        swarm.virsh("net-define", "/dev/stdin", text=network.DEFAULT)
        expect("no net" in swarm.virsh("net-start", "default", ok=False), "it starts")
        expect("virbr0" not in os.listdir("/sys/class/net") and swarm.virsh("net-list").strip() == "", "it is left")
    finally:
        shutil.rmtree(DIRECTORY)
    swarm.virsh("net-start", "default")
