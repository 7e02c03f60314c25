"""Guests in files: saved, restored and dumped, with a guest that goes on counting."""
import os

from lifecycle import expect
from swarm import wait_for

SAVED = "/var/lib/libvirt/saved.image"
DUMP = "/var/lib/libvirt/guest.dump"


def ticks(swarm, name):
    return [int(line.split()[1]) for line in swarm.console(name).splitlines()
            if line.startswith("tick ") and line.split()[1].isdigit()]


def boot_counting(swarm, name):
    swarm.boot(name)
    wait_for("a tick", lambda: len(ticks(swarm, name)) > 1)


def check_goes_on(swarm, name, before, boots=0):
    """It counts on from where it was, and has not booted again. The log of its console starts over with its process."""
    wait_for("the guest to go on", lambda: max(ticks(swarm, name), default=0) >= max(before) + 2)
    expect(swarm.console(name).count("GUEST-UP") == boots, "the guest booted again")


def test_save_and_restore(swarm):
    boot_counting(swarm, "filed")
    swarm.virsh("save", "filed", SAVED)
    expect(swarm.virsh("domstate", "--reason", "filed").strip() == "shut off (saved)", "state after the save")
    with open(SAVED, "rb") as file:
        expect(file.read(16) == b"LibvirtQemudSave", "the image is not libvirt's")
    expect("<name>filed</name>" in swarm.virsh("save-image-dumpxml", SAVED), "the image has no document")
    before = ticks(swarm, "filed")
    swarm.virsh("restore", SAVED)
    expect(swarm.virsh("domstate", "--reason", "filed").strip() == "running (restored)", "state after the restore")
    check_goes_on(swarm, "filed", before)


def test_save_paused(swarm):
    boot_counting(swarm, "held")
    swarm.virsh("save", "held", SAVED, "--paused")
    before = ticks(swarm, "held")
    swarm.virsh("restore", SAVED)
    expect(swarm.virsh("domstate", "held").strip() == "paused", "it runs after a save with --paused")
    swarm.virsh("resume", "held")
    check_goes_on(swarm, "held", before)


def test_restore_of_a_transient_guest(swarm):
    boot_counting(swarm, "passing")
    swarm.virsh("save", "passing", SAVED)
    swarm.virsh("undefine", "passing")
    before = ticks(swarm, "passing")
    swarm.virsh("restore", SAVED)
    expect("Persistent:     no" in swarm.virsh("dominfo", "passing"), "it is persistent")
    check_goes_on(swarm, "passing", before)


def test_restore_of_garbage(swarm):
    with open(SAVED, "wb") as file:
        file.write(b"LibvirtQemudSave" + bytes(1000))
    swarm.virsh("restore", SAVED, ok=False)
    with open(SAVED, "wb") as file:
        file.write(os.urandom(4096))
    swarm.virsh("restore", SAVED, ok=False)


def test_core_dump(swarm):
    boot_counting(swarm, "dumped")
    before = ticks(swarm, "dumped")
    swarm.virsh("dump", "dumped", DUMP, "--memory-only")
    with open(DUMP, "rb") as file:
        expect(file.read(4) == b"\x7fELF", "the dump is no ELF file")
    expect(os.path.getsize(DUMP) >= 160 << 20, "the dump is smaller than the guest's memory")
    expect(swarm.virsh("domstate", "dumped").strip() == "running", "it does not run after a dump")
    check_goes_on(swarm, "dumped", before, boots=1)
    swarm.virsh("dump", "dumped", DUMP, "--crash")
    expect(swarm.virsh("domstate", "--reason", "dumped").strip() == "shut off (crashed)", "it survived a crash dump")
    os.remove(DUMP)
