"""Snapshots: of guests that run and that don't, inside their images and in new ones, across restarts of the daemon."""
import os
import subprocess
import threading
import xml.etree.ElementTree as ElementTree

import libvirt
from lifecycle import expect
from swarm import PATIENCE, Client, Failure, listens, read, wait_for

IMAGES = "/var/lib/libvirt/images"
FILES = "/var/lib/libvirt/qemu/snapshot"
STARTED, SUSPENDED, RESUMED, STOPPED, DEFINED = (
    libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_RESUMED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_DEFINED)


def image(name):
    os.makedirs(IMAGES, exist_ok=True)
    for old in os.listdir(IMAGES):
        if old.startswith(name + "."):
            os.unlink(f"{IMAGES}/{old}")
    path = f"{IMAGES}/{name}.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "16M"], check=True)
    return path


def disk(path):
    return f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>
<target dev='vda' bus='virtio'/></disk>"""


def say(swarm, name, command, answer):
    """Types a command on the guest's console until its answer is there."""
    connection = libvirt.open("qemu:///system")
    stream = connection.newStream(0)
    connection.lookupByName(name).openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
    stream.send(command.encode() + b"\n")
    heard = b""
    # A console that stays silent ends the wait with an error of the stream.
    silence = threading.Timer(PATIENCE, stream.abort)
    silence.start()
    while answer.encode() not in heard:
        heard += stream.recv(4096)
        expect(len(heard) < 1 << 20, f"no '{answer}' on the console")
    silence.cancel()
    stream.abort()
    connection.close()


def content(path):
    """What the guest wrote at the beginning of a disk whose guest does not run."""
    raw = path + ".raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw], check=True)
    with open(raw, "rb") as file:
        text = file.read(512).rstrip(b"\0").decode().strip()
    os.unlink(raw)
    return text


def inside(path):
    """The names of the snapshots within an image."""
    out = subprocess.run(["qemu-img", "snapshot", "-lU", path], capture_output=True, text=True, check=True).stdout
    return [line.split()[1] for line in out.splitlines()[2:]]


def source(swarm, name, *options):
    found = ElementTree.fromstring(swarm.virsh("dumpxml", name, *options)).findall("./devices/disk//source")
    return [element.get("file") for element in found]


def remove(swarm, name):
    swarm.virsh("destroy", name, ok=None)
    swarm.virsh("undefine", name, "--snapshots-metadata")
    expect(not os.path.exists(f"{FILES}/{name}"), "the snapshots' files are still there")


def test_internal_snapshot_of_a_running_guest(swarm):
    path = image("live")
    swarm.boot("live", disk(path))
    client = Client()
    say(swarm, "live", "write one", "GUEST-WROTE one")
    swarm.virsh("snapshot-create-as", "live", "first", "a description")
    client.wait("live", SUSPENDED)
    client.wait("live", RESUMED)
    say(swarm, "live", "write two", "GUEST-WROTE two")
    swarm.virsh("snapshot-create-as", "live", "second")
    expect(inside(path) == ["first", "second"], f"in the image: {inside(path)}")
    swarm.restart("virtqemud")
    expect(swarm.virsh("snapshot-current", "live", "--name").strip() == "second", "current after a restart")
    expect(swarm.virsh("snapshot-parent", "live", "second").strip() == "first", "parent after a restart")
    pid = swarm.pid("live")
    del client.events[:]
    swarm.virsh("snapshot-revert", "live", "first")
    expect(swarm.pid("live") != pid, "the guest is still the same process")
    expect(swarm.virsh("domstate", "live", "--reason").strip() == "running (from snapshot)", "state")
    say(swarm, "live", "show", "GUEST-READS one")
    client.wait("live", DEFINED)
    details = [event[1:] for event in client.events if event[0] == "live"]
    expect(details == [(STOPPED, 6), (STARTED, 3), (RESUMED, 2), (DEFINED, 3)], f"events of a revert: {details}")
    swarm.virsh("snapshot-revert", "live", "second", "--paused")
    expect(swarm.virsh("domstate", "live", "--reason").strip() == "paused (from snapshot)", "paused")
    swarm.virsh("resume", "live")
    say(swarm, "live", "show", "GUEST-READS two")
    swarm.virsh("snapshot-delete", "live", "first")
    expect(inside(path) == ["second"], "the image still has the deleted snapshot")
    expect("has no parent" in swarm.virsh("snapshot-parent", "live", "second", ok=False), "parent")
    client.close()
    remove(swarm, "live")


def test_new_image_under_a_writing_guest(swarm):
    path = image("over")
    swarm.boot("over", disk(path))
    say(swarm, "over", "write old", "GUEST-WROTE old")
    swarm.virsh("snapshot-create-as", "over", "top", "--disk-only", "--atomic")
    top = f"{IMAGES}/over.top"
    expect(source(swarm, "over") == [top, path], f"the guest's chain: {source(swarm, 'over')}")
    expect(source(swarm, "over", "--inactive") == [top, path], "the definition's chain")
    say(swarm, "over", "write new", "GUEST-WROTE new")
    swarm.restart("virtqemud")
    swarm.virsh("snapshot-create-as", "over", "more", "--disk-only", "--no-metadata", "--diskspec",
                f"vda,file={IMAGES}/over.x")
    expect(source(swarm, "over") == [f"{IMAGES}/over.x", top, path], "the chain after a second one")
    expect("not supported yet" in swarm.virsh("snapshot-revert", "over", "top", ok=False), "revert")
    say(swarm, "over", "show", "GUEST-READS new")
    swarm.virsh("destroy", "over")
    expect((content(path), content(top)) == ("old", "new"), f"contents {content(path)}, {content(top)}")
    swarm.boot_again("over")
    expect(source(swarm, "over") == [f"{IMAGES}/over.x", top, path], "the chain after a start")
    say(swarm, "over", "show", "GUEST-READS new")
    remove(swarm, "over")


def test_external_snapshots_are_merged_when_they_go(swarm):
    path = image("merge")
    swarm.boot("merge", disk(path))
    files = [f"{IMAGES}/merge.{number}" for number in (1, 2, 3)]
    for number in (1, 2, 3):
        say(swarm, "merge", f"write w{number}", f"GUEST-WROTE w{number}")
        swarm.virsh("snapshot-create-as", "merge", str(number), "--disk-only")
    say(swarm, "merge", "write w4", "GUEST-WROTE w4")
    swarm.virsh("snapshot-delete", "merge", "2")
    expect(source(swarm, "merge") == [files[2], files[0], path], f"chain: {source(swarm, 'merge')}")
    swarm.virsh("snapshot-delete", "merge", "3")
    expect(source(swarm, "merge") == [files[0], path], f"chain: {source(swarm, 'merge')}")
    expect(not os.path.exists(files[1]) and not os.path.exists(files[2]), "the files are still there")
    say(swarm, "merge", "show", "GUEST-READS w4")
    swarm.virsh("destroy", "merge")
    swarm.virsh("snapshot-delete", "merge", "1")
    expect(swarm.virsh("domstate", "merge").strip() == "shut off", "a guest was left running")
    expect(source(swarm, "merge", "--inactive") == [path] and content(path) == "w4", "the base image")
    remove(swarm, "merge")


def test_memory_in_a_file(swarm):
    path = image("memory")
    swarm.boot("memory", disk(path))
    swarm.virsh("snapshot-create-as", "memory", "all", "--memspec", f"file={IMAGES}/memory.save", "--diskspec",
                f"vda,file={IMAGES}/memory.top")
    expect(swarm.virsh("domstate", "memory", "--reason").strip() == "running (unpaused)", "state")
    expect("Location:       external" in swarm.virsh("snapshot-info", "memory", "all"), "location")
    swarm.virsh("snapshot-create-as", "memory", "halted", "--memspec", f"file={IMAGES}/memory.two", "--live", "--halt",
                "--diskspec", f"vda,file={IMAGES}/memory.last")
    expect(swarm.virsh("domstate", "memory", "--reason").strip() == "shut off (from snapshot)", "halted")
    expect("<name>memory</name>" in swarm.virsh("save-image-dumpxml", f"{IMAGES}/memory.two"), "the memory's file")
    remove(swarm, "memory")


def test_inactive_domain(swarm):
    path = image("off")
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("off", disk(path)))
    swarm.virsh("snapshot-create-as", "off", "one")
    swarm.virsh("snapshot-create-as", "off", "two")
    expect(inside(path) == ["one", "two"], "in the image")
    swarm.virsh("snapshot-revert", "off", "one")
    expect(swarm.virsh("snapshot-current", "off", "--name").strip() == "one", "current")
    swarm.virsh("snapshot-revert", "off", "two", "--running")
    expect(swarm.virsh("domstate", "off").strip() == "running", "revert to a running guest")
    swarm.virsh("snapshot-revert", "off", "one")
    expect(swarm.virsh("domstate", "off").strip() == "shut off", "revert of a running guest")
    swarm.virsh("snapshot-create-as", "off", "three", "--disk-only")
    expect(source(swarm, "off") == [f"{IMAGES}/off.three"], f"source: {source(swarm, 'off')}")
    swarm.virsh("snapshot-delete", "off", "two")
    swarm.virsh("snapshot-delete", "off", "three", "--metadata")
    expect(inside(path) == ["one"], "in the image")
    error = swarm.virsh("undefine", "off", ok=False)
    expect("cannot delete inactive domain with 1 snapshots" in error, error)
    swarm.virsh("domrename", "off", "renamed")
    expect(os.listdir(f"{FILES}/renamed") == ["one.xml"] and not os.path.exists(f"{FILES}/off"), "files of a rename")
    remove(swarm, "renamed")


def test_redefinition(swarm):
    path = image("again")
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("again", disk(path)))
    swarm.virsh("snapshot-create-as", "again", "one")
    swarm.virsh("snapshot-create-as", "again", "two", "of two")
    text = swarm.virsh("snapshot-dumpxml", "again", "two", "--security-info")
    swarm.virsh("snapshot-delete", "again", "two", "--metadata")
    expect(swarm.virsh("snapshot-list", "again", "--name").split() == ["one"], "the description is still there")
    swarm.virsh("snapshot-create", "again", "/dev/stdin", "--redefine", "--current", text=text)
    expect(swarm.virsh("snapshot-dumpxml", "again", "two", "--security-info") == text, "another document")
    expect(swarm.virsh("snapshot-current", "again", "--name").strip() == "two", "current")
    wrong = text.replace("<name>one</name>", "<name>none</name>")
    expect("parent none" in swarm.virsh("snapshot-create", "again", "/dev/stdin", "--redefine", text=wrong, ok=False), "parent")
    wrong = text.replace("<state>shutoff</state>", "<state>running</state>")
    expect("cannot change between online and offline" in
           swarm.virsh("snapshot-create", "again", "/dev/stdin", "--redefine", text=wrong, ok=False), "state")
    remove(swarm, "again")


def test_lists(swarm):
    path = image("many")
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("many", disk(path)))
    for name, options in (("a", ()), ("b", ()), ("c", ("--disk-only",))):
        swarm.virsh("snapshot-create-as", "many", name, *options)
    swarm.restart("virtqemud")
    connection = libvirt.open("qemu:///system")
    domain = connection.lookupByName("many")
    names = lambda flags: sorted(snapshot.getName() for snapshot in domain.listAllSnapshots(flags))
    expect(names(0) == domain.snapshotListNames() == ["a", "b", "c"] and domain.snapshotNum() == 3, "all")
    expect(names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS) == ["a"], "roots")
    expect(names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES) == ["c"], "leaves")
    expect(names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL) == ["c"], "external")
    expect(names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL) == ["a", "b"], "internal")
    expect(names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA) == [], "without metadata")
    expect(names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE) == [], "active")
    first = domain.snapshotLookupByName("a")
    expect([s.getName() for s in first.listAllChildren(0)] == ["b"], "children")
    expect(first.listChildrenNames(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS) == ["b", "c"], "descendants")
    expect(first.numChildren(0) == 1 and first.hasMetadata(0) == 1 and first.isCurrent(0) == 0, "facts")
    expect(domain.hasCurrentSnapshot(0) == 1 and domain.snapshotCurrent(0).getName() == "c", "current")
    expect(domain.snapshotCurrent(0).getParent(0).getName() == "b", "parent")
    try:
        domain.snapshotLookupByName("z")
        raise Failure("found a snapshot that does not exist")
    except libvirt.libvirtError as error:
        expect(error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, str(error))
    connection.close()
    remove(swarm, "many")


def test_files_of_libvirt(swarm):
    """C libvirt reads what we write, and the other way round."""
    if not os.path.exists("/usr/sbin/libvirtd"):
        print("skip the files of C libvirt: libvirtd is not installed", flush=True)
        return
    path = image("shared")
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("shared", disk(path)))
    for name in ("ours", "mine"):
        swarm.virsh("snapshot-create-as", "shared", name)
    texts = {name: swarm.virsh("snapshot-dumpxml", "shared", name) for name in ("ours", "mine")}
    others = ("virtnetworkd", "virtstoraged", "virtqemud", "virtproxyd")
    for daemon in others:
        swarm.kill(daemon)
    for name in os.listdir("/run/libvirt"):
        if name.endswith("-sock") and not name.startswith(("virtlogd", "virtlockd")):
            os.unlink(f"/run/libvirt/{name}")
    daemon = subprocess.Popen(["/usr/sbin/libvirtd"], stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for("libvirtd", lambda: listens("/run/libvirt/libvirt-sock"))
        for name, text in texts.items():
            expect(swarm.virsh("snapshot-dumpxml", "shared", name) == text, f"{name} is another in C libvirt")
        expect(swarm.virsh("snapshot-current", "shared", "--name").strip() == "mine", "current in C libvirt")
        swarm.virsh("snapshot-create-as", "shared", "theirs", "--disk-only")
        swarm.virsh("snapshot-revert", "shared", "ours")
        texts["theirs"] = swarm.virsh("snapshot-dumpxml", "shared", "theirs")
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)
    swarm.start(*others)
    for name, text in texts.items():
        expect(swarm.virsh("snapshot-dumpxml", "shared", name) == text, f"{name} of C libvirt's is another here")
    expect(swarm.virsh("snapshot-current", "shared", "--name").strip() == "ours", "C libvirt's current one")
    for name in texts:
        swarm.virsh("snapshot-delete", "shared", name, "--metadata")
    expect(read(f"{FILES}/shared/ours.xml") == "", "a file that was deleted")
    remove(swarm, "shared")
