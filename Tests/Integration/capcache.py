"""The cache of emulators' facts, /var/cache/libvirt/qemu/capabilities: C libvirtd and virtqemud take each other's files
as they are, and probe again only when the emulator has changed."""
import glob
import hashlib
import os
import signal

from lifecycle import expect
from swarm import read, wait_for

LIBVIRTD = "/usr/sbin/libvirtd"
CACHE = "/var/cache/libvirt/qemu/capabilities"
EMULATOR = "/run/counted/qemu-system-x86_64"
RUNS = "/run/counted/runs"


def make_emulator():
    """An emulator that counts how often it is started, and that no daemon has in its memory."""
    os.makedirs(os.path.dirname(EMULATOR), exist_ok=True)
    with open(EMULATOR, "w") as file:
        file.write(f'#!/bin/sh\necho run >>{RUNS}\nexec /usr/bin/qemu-system-x86_64 "$@"\n')
    os.chmod(EMULATOR, 0o755)
    with open(RUNS, "w") as file:
        os.fchmod(file.fileno(), 0o666)
    for path in glob.glob(f"{CACHE}/*"):
        os.unlink(path)
    change_emulator()


def change_emulator():
    """A new ctime, to the second, which is how the cache tells binaries apart."""
    second = int(os.stat(EMULATOR).st_ctime)

    def is_newer():
        os.utime(EMULATOR)
        return int(os.stat(EMULATOR).st_ctime) > second
    wait_for("the next second", is_newer)


def runs():
    return len(read(RUNS).splitlines())


def cached():
    """The file of the emulator, which both sides name alike: what it is, and what is in it."""
    path = f"{CACHE}/{hashlib.sha256(EMULATOR.encode()).hexdigest()}.xml"
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns, read(path)


def facts(swarm):
    return swarm.virsh("domcapabilities", "--emulatorbin", EMULATOR, "--virttype", "qemu")


def to_c(swarm):
    for name in ("virtproxyd", "virtqemud", "virtnetworkd", "virtstoraged"):
        swarm.kill(name, signal.SIGTERM)
    swarm.start_other("libvirtd", LIBVIRTD)


def to_ours(swarm):
    swarm.kill("libvirtd", signal.SIGTERM)
    swarm.start("virtnetworkd", "virtstoraged", "virtqemud", "virtproxyd")


def test_facts_are_shared_with_c_libvirt(swarm):
    if not os.path.exists(LIBVIRTD):
        print(f"skip the cache of C libvirt: {LIBVIRTD} is not installed", flush=True)
        return
    make_emulator()
    to_c(swarm)
    try:
        first = facts(swarm)
        written, count = cached(), runs()
        expect(count > 0, "C libvirtd did not probe")
    finally:
        to_ours(swarm)
    expect(facts(swarm) == first, "we read other facts than C libvirtd wrote")
    expect(cached() == written, "we wrote C libvirtd's file again")
    expect(runs() == count, "we started the emulator although C libvirtd's file holds")
    change_emulator()
    expect(facts(swarm) == first, "we probed other facts than C libvirtd")
    written = cached()
    expect(runs() > count, "we did not probe a changed emulator")
    count = runs()
    to_c(swarm)
    try:
        expect(facts(swarm) == first, "C libvirtd read other facts than we wrote")
        expect(cached() == written, "C libvirtd wrote our file again")
        expect(runs() == count, "C libvirtd started the emulator although our file holds")
    finally:
        to_ours(swarm)


def test_a_restart_does_not_probe_again(swarm):
    make_emulator()
    first = facts(swarm)
    written, count = cached(), runs()
    expect(count > 0, "the emulator was not probed")
    swarm.restart("virtqemud", signal.SIGTERM)
    expect(facts(swarm) == first, "the facts changed")
    expect(cached() == written and runs() == count, "the emulator was probed again")


def test_a_broken_cache_file_is_made_again(swarm):
    make_emulator()
    first = facts(swarm)
    whole = cached()[2]
    path = f"{CACHE}/{hashlib.sha256(EMULATOR.encode()).hexdigest()}.xml"
    for text in ("", "not a document", whole[:len(whole) // 2], whole.replace("<version>", "<version>x")):
        count = runs()
        with open(path, "w") as file:
            file.write(text)
        swarm.restart("virtqemud", signal.SIGTERM)
        expect(facts(swarm) == first, "the facts changed")
        expect(runs() > count, "the emulator was not probed again")
        expect(cached()[2] == whole, "the file was not written again")
