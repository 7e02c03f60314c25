"""Block jobs, checkpoints and backups of running guests, compared by what the images hold."""
import os
import re
import subprocess

import libvirt

from lifecycle import expect
from swarm import Client, read, wait_for

IMAGES = "/var/lib/libvirt/images"
DISK = """<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/>
<target dev='vda' bus='virtio'/></disk>"""


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def path(name):
    os.makedirs(IMAGES, exist_ok=True)
    return f"{IMAGES}/{name}"


def make_chain(prefix, *names, size="32M"):
    """Images on top of each other, each with data of its own in its own mebibytes; the top one's path."""
    below = None
    for number, name in enumerate(names):
        image = path(f"{prefix}-{name}.qcow2")
        backing = ["-b", below, "-F", "qcow2"] if below else []
        run("qemu-img", "create", "-q", "-f", "qcow2", *backing, image, *([] if below else [size]))
        run("qemu-io", "-c", f"write -P {number + 1} {number}M 1M", image)
        below = image
    return below


def start(swarm, name, image):
    swarm.virsh("define", "/dev/stdin", text=swarm.domain(name, DISK.format(image)))
    swarm.virsh("start", name, "--paused")


def write(swarm, name, pattern, offset, length):
    """What the guest would write: through its device, so that every job and bitmap sees it."""
    out = swarm.virsh("qemu-monitor-command", name, "--hmp",
                      f'qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "write -P {pattern} {offset} {length}"')
    expect("rror" not in out, f"qemu-io: {out}")


def holds(image, pattern, offset, length, form="qcow2"):
    out = run("qemu-io", "-U", "-r", "-f", form, "-c", f"read -P {pattern} {offset} {length}", image)
    expect("Pattern verification failed" not in out, f"{image} at {offset}: {out}")


def chain(swarm, name, *options):
    """The images of the guest's disk, the top one first."""
    return re.findall(r"<source file='([^']*)'", swarm.virsh("dumpxml", name, *options))


def block_events(client, domain):
    events = []
    client.connection.domainEventRegisterAny(
        domain, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2,
        lambda _c, _d, disk, kind, status, _o: events.append((disk, kind, status)), None)
    return events


def test_copy_takes_the_disks_place(swarm):
    top = make_chain("copy", "base", "top")
    copy = path("copy-new.qcow2")
    start(swarm, "copied", top)
    client = Client()
    events = block_events(client, client.connection.lookupByName("copied"))
    swarm.virsh("blockcopy", "copied", "vda", copy, "--transient-job", "--wait")
    live = swarm.virsh("dumpxml", "copied")
    expect("job='copy' ready='yes'" in live, f"no mirror: {live}")
    status = read("/run/libvirt/qemu/copied.xml")
    expect("type='copy' state='ready'" in status and "<blockjobs active='yes'>" in status, "the status file")
    write(swarm, "copied", 9, "8M", "1M")
    swarm.virsh("blockjob", "copied", "vda", "--pivot")
    expect(chain(swarm, "copied") == [copy], f"the chain is {chain(swarm, 'copied')}")
    expect(chain(swarm, "copied", "--inactive") == [copy], "the definition did not follow")
    wait_for("events", lambda: len(events) == 2)
    expect(events == [("vda", 2, 3), ("vda", 2, 0)], f"events {events}")
    expect(not swarm.virsh("blockjob", "copied", "vda", "--raw").strip(), "the job is still there")
    nodes = swarm.virsh("qemu-monitor-command", "copied", '{"execute":"query-named-block-nodes"}')
    expect(top not in nodes, "QEMU has the old image open")
    swarm.virsh("destroy", "copied")
    for number in range(2):
        holds(copy, number + 1, f"{number}M", "1M")
    holds(copy, 9, "8M", "1M")
    client.close()


def test_copy_is_given_up(swarm):
    top = make_chain("abort", "top")
    copy = path("abort-new.qcow2")
    start(swarm, "kept", top)
    swarm.virsh("blockcopy", "kept", "vda", copy, "--transient-job", "--wait")
    error = swarm.virsh("blockcopy", "kept", "vda", path("abort-other.qcow2"), "--transient-job", ok=False)
    expect("already in active block job" in error, error)
    expect("domain has active block job" in swarm.virsh("save", "kept", "/run/kept.save", ok=False), "save")
    swarm.virsh("blockjob", "kept", "vda", "--abort")
    expect(chain(swarm, "kept") == [top], "the chain changed")
    expect("mirror" not in swarm.virsh("dumpxml", "kept"), "the mirror is still shown")
    nodes = swarm.virsh("qemu-monitor-command", "kept", '{"execute":"query-named-block-nodes"}')
    expect(copy not in nodes, "QEMU has the copy open")
    error = swarm.virsh("blockcopy", "kept", "vda", copy, ok=False)
    expect("domain is not transient" in error, error)
    swarm.virsh("destroy", "kept")


def test_shallow_copy_keeps_what_is_below(swarm):
    top = make_chain("shallow", "base", "top")
    copy = path("shallow-new.qcow2")
    start(swarm, "shallow", top)
    swarm.virsh("blockcopy", "shallow", "vda", copy, "--transient-job", "--shallow", "--wait", "--pivot")
    expect(chain(swarm, "shallow") == [copy, path("shallow-base.qcow2")], f"{chain(swarm, 'shallow')}")
    swarm.virsh("destroy", "shallow")
    expect("shallow-base.qcow2" in run("qemu-img", "info", copy), "the copy does not name the base")
    swarm.virsh("start", "shallow", "--paused")
    expect(chain(swarm, "shallow") == [copy, path("shallow-base.qcow2")], "the chain after the next start")


def test_commits(swarm):
    top = make_chain("commit", "base", "one", "two", "three")
    base, one, two, _ = [path(f"commit-{name}.qcow2") for name in ("base", "one", "two", "three")]
    start(swarm, "committed", top)
    swarm.virsh("blockcommit", "committed", "vda", "--top", two, "--base", one, "--wait")
    expect(chain(swarm, "committed") == [top, one, base], f"{chain(swarm, 'committed')}")
    error = swarm.virsh("blockcommit", "committed", "vda", ok=False)
    expect("active layer requires active flag" in error, error)
    error = swarm.virsh("blockcommit", "committed", "vda", "--top", two, ok=False)
    expect(f"could not find image '{two}' in chain for 'vda'" in error, error)
    swarm.virsh("blockcommit", "committed", "vda", "--active", "--wait")
    expect("job='active-commit' ready='yes'" in swarm.virsh("dumpxml", "committed"), "no mirror")
    write(swarm, "committed", 7, "9M", "64k")
    swarm.virsh("blockjob", "committed", "vda", "--pivot")
    expect(chain(swarm, "committed") == [base], f"{chain(swarm, 'committed')}")
    expect(chain(swarm, "committed", "--inactive") == [base], "the definition did not follow")
    swarm.virsh("destroy", "committed")
    for number in range(4):
        holds(base, number + 1, f"{number}M", "1M")
    holds(base, 7, "9M", "64k")


def test_committed_images_are_deleted(swarm):
    top = make_chain("gone", "base", "one", "two")
    one = path("gone-one.qcow2")
    start(swarm, "gone", top)
    swarm.virsh("blockcommit", "gone", "vda", "--top", one, "--shallow", "--delete", "--wait")
    wait_for("the image to go", lambda: not os.path.exists(one))
    expect(chain(swarm, "gone") == [top, path("gone-base.qcow2")], f"{chain(swarm, 'gone')}")


def test_pulls(swarm):
    top = make_chain("pull", "base", "one", "two")
    base = path("pull-base.qcow2")
    start(swarm, "pulled", top)
    swarm.virsh("blockpull", "pulled", "vda", "--base", base, "--wait")
    expect(chain(swarm, "pulled") == [top, base], f"{chain(swarm, 'pulled')}")
    swarm.virsh("blockpull", "pulled", "vda", "--wait")
    wait_for("the chain", lambda: chain(swarm, "pulled") == [top])
    expect("<backingStore/>" in swarm.virsh("dumpxml", "pulled"), "the chain's end is not shown")
    swarm.virsh("destroy", "pulled")
    for number in range(3):
        holds(top, number + 1, f"{number}M", "1M")
    expect("backing file:" not in run("qemu-img", "info", top), "the image still names another one")


def test_daemon_is_killed_under_a_copy(swarm):
    top = make_chain("killed", "base", "top")
    copy = path("killed-new.qcow2")
    start(swarm, "killed", top)
    swarm.virsh("blockcopy", "killed", "vda", copy, "--transient-job", "--bandwidth", "1")
    swarm.restart("virtqemud")
    info = swarm.virsh("blockjob", "killed", "vda", "--raw")
    expect("type=Block Copy" in info, f"the job is lost: {info}")
    swarm.virsh("blockjob", "killed", "vda", "0")
    wait_for("the copy", lambda: "ready='yes'" in swarm.virsh("dumpxml", "killed"))
    swarm.restart("virtqemud")
    swarm.virsh("blockjob", "killed", "vda", "--pivot")
    expect(chain(swarm, "killed") == [copy], f"{chain(swarm, 'killed')}")
    swarm.virsh("destroy", "killed")
    holds(copy, 2, "1M", "1M")


def test_job_ends_while_the_daemon_is_away(swarm):
    top = make_chain("away", "base", "top")
    start(swarm, "away", top)
    swarm.virsh("blockpull", "away", "vda", "--bandwidth", "1")
    swarm.kill("virtqemud")
    expect("type='pull'" in read("/run/libvirt/qemu/away.xml"), "the status file does not name the job")
    swarm.start("virtqemud")
    wait_for("the chain", lambda: chain(swarm, "away") == [top])
    wait_for("the status file", lambda: "<blockjobs active='no'/>" in read("/run/libvirt/qemu/away.xml"))
    swarm.virsh("destroy", "away")
    holds(top, 1, "0", "1M")


def test_checkpoints(swarm):
    start(swarm, "checked", make_chain("checked", "top"))
    expect("cannot create checkpoint for inactive" in unstarted(swarm), "a checkpoint of an inactive domain")
    for name in ("c1", "c2", "c3"):
        swarm.virsh("checkpoint-create-as", "checked", name)
        write(swarm, "checked", 5, "4M", "1M")
    expect(swarm.virsh("checkpoint-parent", "checked", "c3").strip() == "c2", "the parent")
    document = swarm.virsh("checkpoint-dumpxml", "checked", "c3", "--size", "--no-domain")
    expect("bitmap='c3' size='1048576'" in document, document)
    stored = swarm.virsh("checkpoint-dumpxml", "checked", "c2")
    swarm.restart("virtqemud")
    names = swarm.virsh("checkpoint-list", "checked", "--name", "--topological").split()
    expect(names == ["c1", "c2", "c3"], f"after the restart: {names}")
    expect(swarm.virsh("checkpoint-dumpxml", "checked", "c2") == stored, "the document changed")
    swarm.virsh("checkpoint-delete", "checked", "c2")
    expect(swarm.virsh("checkpoint-parent", "checked", "c3").strip() == "c1", "the children's parent")
    nodes = swarm.virsh("qemu-monitor-command", "checked", '{"execute":"query-named-block-nodes"}')
    expect('"c1"' in nodes and '"c2"' not in nodes and '"c3"' in nodes, "the bitmaps")
    swarm.virsh("checkpoint-create", "checked", "/dev/stdin", "--redefine", text=stored)
    error = swarm.virsh("checkpoint-create", "checked", "/dev/stdin", "--redefine", "--redefine-validate",
                        text=stored, ok=False)
    expect("missing or broken bitmap 'c2'" in error, error)
    swarm.virsh("checkpoint-delete", "checked", "c2", "--metadata")
    swarm.virsh("checkpoint-delete", "checked", "c1", "--children")
    expect(swarm.virsh("checkpoint-list", "checked", "--name").split() == [], "some are left")
    expect(os.listdir("/var/lib/libvirt/qemu/checkpoint/checked") == [], "files are left")


def unstarted(swarm):
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("idle"))
    return swarm.virsh("checkpoint-create-as", "idle", "c1", ok=False)


def test_domain_with_checkpoints_is_undefined(swarm):
    start(swarm, "marked", make_chain("marked", "top"))
    swarm.virsh("checkpoint-create-as", "marked", "c1")
    swarm.virsh("destroy", "marked")
    error = swarm.virsh("undefine", "marked", ok=False)
    expect("cannot delete inactive domain with 1 checkpoints" in error, error)
    swarm.virsh("undefine", "marked", "--checkpoints-metadata")
    expect(not os.path.exists("/var/lib/libvirt/qemu/checkpoint/marked"), "the directory is left")


def backup(swarm, name, document, checkpoint=None):
    with open("/run/backup.xml", "w") as file:
        file.write(document)
    extra = []
    if checkpoint:
        with open("/run/checkpoint.xml", "w") as file:
            file.write(f"<domaincheckpoint><name>{checkpoint}</name></domaincheckpoint>")
        extra = ["/run/checkpoint.xml"]
    swarm.virsh("backup-begin", name, "/run/backup.xml", *extra)


def finished(swarm, name):
    return "Completed" in swarm.virsh("domjobinfo", name, "--completed", "--keep-completed", ok=None)


def test_full_and_incremental_backup(swarm):
    top = make_chain("saved", "base", "top")
    full, increment = path("full.raw"), path("increment.qcow2")
    start(swarm, "backed", top)
    target = "<disk name='vda' type='file'><driver type='{}'/><target file='{}'/></disk>"
    backup(swarm, "backed", f"<domainbackup><disks>{target.format('raw', full)}</disks></domainbackup>", "b1")
    wait_for("the full backup", lambda: finished(swarm, "backed"))
    info = swarm.virsh("domjobinfo", "backed", "--completed")
    expect("Operation:        Backup" in info and "File processed:   32.000 MiB" in info, info)
    expect("None" in swarm.virsh("domjobinfo", "backed", "--completed"), "the job is told of twice")
    write(swarm, "backed", 6, "5M", "1M")
    text = f"<domainbackup><incremental>b1</incremental><disks>{target.format('qcow2', increment)}</disks></domainbackup>"
    backup(swarm, "backed", text, "b2")
    wait_for("the increment", lambda: finished(swarm, "backed"))
    expect("no domain backup job present" in swarm.virsh("backup-dumpxml", "backed", ok=False), "it still runs")
    error = swarm.virsh("backup-begin", "backed", "/run/backup.xml", ok=False)
    expect(f"store '{increment}' for backup of 'vda' exists" in error, error)
    swarm.virsh("destroy", "backed")
    run("qemu-img", "rebase", "-u", "-b", full, "-F", "raw", increment)
    run("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", top, increment)
    holds(full, 0, "5M", "1M", form="raw")
    size = int(re.search(r'"actual-size": (\d+)', run("qemu-img", "info", "--output=json", increment)).group(1))
    expect(size < 4 << 20, f"the increment has {size} bytes")


def test_client_pulls_a_backup(swarm):
    top = make_chain("served", "base", "top")
    start(swarm, "served", top)
    events = []
    client = Client()
    domain = client.connection.lookupByName("served")
    client.connection.domainEventRegisterAny(
        domain, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, lambda _c, _d, job, _o: events.append(job), None)
    scratch, socket, read_back = path("scratch.qcow2"), "/run/backup.sock", path("pulled.raw")
    backup(swarm, "served", f"""<domainbackup mode='pull'><server transport='unix' socket='{socket}'/><disks>
<disk name='vda' type='file'><scratch file='{scratch}'/></disk></disks></domainbackup>""")
    write(swarm, "served", 8, "0", "1M")
    expect("exportname='vda'" in swarm.virsh("backup-dumpxml", "served"), "the document")
    expect("Unbounded" in swarm.virsh("domjobinfo", "served"), "no job is shown")
    run("qemu-img", "convert", "-O", "raw", f"nbd+unix:///vda?socket={socket}", read_back)
    holds(read_back, 1, "0", "1M", form="raw")
    holds(read_back, 2, "1M", "1M", form="raw")
    swarm.restart("virtqemud")
    expect("mode='pull'" in swarm.virsh("backup-dumpxml", "served"), "the backup is lost")
    client.close()
    client = Client()
    swarm.virsh("domjobabort", "served")
    wait_for("the end", lambda: "None" in swarm.virsh("domjobinfo", "served"))
    expect(not os.path.exists(scratch), "the scratch file is left")
    client.close()
