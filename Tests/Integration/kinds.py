"""A guest of each kind that QEMU can start here is really started: the same XML as libvirt takes, and a QEMU that runs."""
import os
import subprocess
import xml.etree.ElementTree as ElementTree

import libvirt

import network
import variants
from lifecycle import expect
from swarm import Client, read, wait_for


def arguments(swarm, name):
    with open(f"/proc/{swarm.pid(name)}/cmdline", "rb") as file:
        return file.read().decode()


def check(swarm, connection, variant):
    """The guest starts, its QEMU has what was asked for, it runs, and nothing of it is left afterwards."""
    variant.make_images()
    domain = connection.createXML(variant.xml(swarm.guest), libvirt.VIR_DOMAIN_START_PAUSED)
    try:
        expect(domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED, "it is not paused")
        line = arguments(swarm, variant.name)
        expect(variant.mark in line, f"no '{variant.mark}' in its command line: {line}")
        live = ElementTree.fromstring(domain.XMLDesc())
        nameless = [each.tag for each in live.find("devices") if each.tag not in ("emulator", "graphics", "audio", "redirfilter")
                    and each.find("alias") is None and not (each.tag == "memballoon" and each.get("model") == "none")]
        expect(not nameless, f"devices without an alias: {nameless}")
        domain.resume()
        expect(domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "it does not run")
    finally:
        domain.destroy()
    for path in (f"/run/libvirt/qemu/{variant.name}.xml", f"/run/libvirt/qemu/{variant.name}.pid"):
        expect(not os.path.exists(path), f"{path} is left")


def check_all(swarm, kind):
    variants.make_images()
    client = Client()
    failures = []
    table = dict(variants.ALL)[kind]
    for variant in table:
        try:
            check(swarm, client.connection, variant)
        except Exception as error:
            failures.append(f"{variant.name}: {error}")
    client.close()
    print(f"     {len(table) - len(failures)} of {len(table)} kinds of {kind} guest started", flush=True)
    expect(not failures, "\n".join(failures))


def serve_nbd(*where):
    return subprocess.Popen(["qemu-nbd", "-t", "-x", "x", "-e", "4", "-f", "raw", *where, f"{variants.IMAGES}/nbd.raw"])


def start_servers():
    """The servers of the network disks."""
    os.makedirs(variants.IMAGES, exist_ok=True)
    with open(f"{variants.IMAGES}/nbd.raw", "wb") as file:
        file.truncate(1 << 20)
    servers = [serve_nbd("-k", "/run/nbd.sock"), serve_nbd("-b", "127.0.0.1", "-p", "10809", "--shared=4")]
    wait_for("the disk servers", lambda: os.path.exists("/run/nbd.sock") and ":2A39 " in read("/proc/net/tcp"))
    return servers


def route_multicast():
    """Without any route, nothing can join a group."""
    subprocess.run(["ip", "route", "replace", "230.0.0.0/8", "dev", "virbr0"], check=True)


def test_storage_kinds(swarm):
    servers = start_servers()
    try:
        check_all(swarm, "storage")
    finally:
        for server in servers:
            server.terminate()
            server.wait()


def test_network_kinds(swarm):
    network.start_default(swarm)
    route_multicast()
    check_all(swarm, "network")


def test_display_kinds(swarm):
    check_all(swarm, "display")


def test_character_kinds(swarm):
    check_all(swarm, "character")


def test_device_kinds(swarm):
    check_all(swarm, "device")
