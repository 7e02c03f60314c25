"""Programs beside QEMU that serve a guest's devices: TPM emulators, and servers of directories."""
import json
import os
import shutil
import subprocess
import sys

from lifecycle import expect
from swarm import read, wait_for

TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
STATES = "/var/lib/libvirt/swtpm"
RUN = "/run/libvirt/qemu"
BROKEN = """<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
<qemu:arg value='-bogus'/></qemu:commandline></domain>"""
DIRECTORY = """<filesystem type='mount' accessmode='passthrough'><driver type='virtiofs'/>
<source dir='{}'/><target dir='shared'/></filesystem>"""
SHARED = "<memoryBacking><access mode='shared'/></memoryBacking><vcpu>"


def processes(word):
    """The command lines of what runs with a word in its program's name."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        words = read(f"/proc/{pid}/cmdline").split("\0")
        if word in os.path.basename(words[0]):
            found.append(words)
    return found


def files(directory, ending):
    return [name for name in os.listdir(directory) if name.endswith(ending)]


def is_gone(program):
    return not processes(program)


def states(swarm, name):
    path = f"{STATES}/{swarm.virsh('domuuid', name).strip()}"
    return [f"{path}/{each}" for each in sorted(os.listdir(path))]


def require_swtpm():
    for program in ("swtpm", "swtpm_setup", "swtpm_ioctl"):
        expect(shutil.which(program), f"{program} is not installed")


def test_tpm_from_start_to_undefine(swarm):
    require_swtpm()
    capabilities = swarm.virsh("domcapabilities")
    for value in ("<value>emulator</value>", "<value>external</value>", "<value>2.0</value>"):
        expect(value in capabilities.split("<tpm ")[1].split("</tpm>")[0], f"no {value} in the capabilities")
    swarm.boot("tpm", TPM)
    answer = json.loads(swarm.virsh("qemu-monitor-command", "tpm", '{"execute":"query-tpm"}'))["return"]
    expect(answer[0]["model"] == "tpm-crb" and answer[0]["options"]["type"] == "emulator", str(answer))
    expect(len(processes("swtpm")) == 1, str(processes("swtpm")))
    (state,) = states(swarm, "tpm")
    expect(state.endswith("/tpm2") and os.path.getsize(f"{state}/tpm2-00.permall") > 0, "the TPM has no state")
    expect("Successfully authored TPM state" in read("/var/log/swtpm/libvirt/qemu/tpm-swtpm.log"), "swtpm_setup's log")
    expect("Starting external device: TPM Emulator" in read("/var/log/libvirt/qemu/tpm.log"), "the guest's log")
    # A daemon that starts anew finds it again.
    swarm.restart("virtqemud")
    wait_for("the guest to be found", lambda: swarm.virsh("domstate", "tpm").strip() == "running")
    expect(len(processes("swtpm")) == 1, "swtpm did not outlive the daemon")
    swarm.virsh("destroy", "tpm")
    wait_for("swtpm to end", lambda: is_gone("swtpm"))
    expect(not os.listdir(f"{RUN}/swtpm"), str(os.listdir(f"{RUN}/swtpm")))
    # The next start has the same TPM.
    before = read("/var/log/swtpm/libvirt/qemu/tpm-swtpm.log").count("Successfully authored TPM state")
    swarm.virsh("start", "tpm")
    after = read("/var/log/swtpm/libvirt/qemu/tpm-swtpm.log").count("Successfully authored TPM state")
    expect(before == after, "the TPM was set up again")
    swarm.virsh("destroy", "tpm")
    swarm.virsh("undefine", "tpm")
    expect(not os.path.exists(os.path.dirname(state)), "the state outlived the domain")


def test_tpm_state_that_is_kept(swarm):
    require_swtpm()
    swarm.boot("kept", TPM)
    swarm.virsh("destroy", "kept")
    (state,) = states(swarm, "kept")
    error = swarm.virsh("undefine", "kept", "--tpm", "--keep-tpm", ok=False)
    expect("cannot both keep and delete TPM" in error or "mutually exclusive" in error, error)
    uuid = swarm.virsh("domuuid", "kept").strip()
    swarm.virsh("undefine", "kept", "--keep-tpm")
    expect(os.path.exists(state), "the state was not kept")
    persistent = swarm.domain("kept", TPM.replace("version='2.0'", "version='2.0' persistent_state='yes'"))
    swarm.virsh("define", "/dev/stdin", text=persistent.replace("<name>", f"<uuid>{uuid}</uuid><name>"))
    swarm.virsh("undefine", "kept")
    expect(os.path.exists(state), "a persistent state was not kept")
    swarm.virsh("define", "/dev/stdin", text=persistent.replace("<name>", f"<uuid>{uuid}</uuid><name>"))
    swarm.virsh("undefine", "kept", "--tpm")
    expect(not os.path.exists(os.path.dirname(state)), "the state was not removed")
    swarm.virsh("create", "/dev/stdin", "--paused", text=swarm.domain("passing", TPM))
    (state,) = states(swarm, "passing")
    swarm.virsh("destroy", "passing")
    expect(not os.path.exists(os.path.dirname(state)), "the state outlived a transient domain")


def test_tpm_of_a_saved_guest(swarm):
    require_swtpm()
    banks = "<active_pcr_banks><sha256/><sha384/></active_pcr_banks></backend>"
    device = "<tpm model='tpm-tis'><backend type='emulator' version='2.0'>" + banks + "</tpm>"
    swarm.boot("tpmsave", device)
    log = "/var/log/swtpm/libvirt/qemu/tpmsave-swtpm.log"
    expect("Successfully activated PCR banks sha256,sha384" in read(log), read(log))
    swarm.virsh("managedsave", "tpmsave")
    wait_for("swtpm to end", lambda: is_gone("swtpm"))
    before = read(log).count("activated PCR banks")
    swarm.virsh("start", "tpmsave")
    expect(read(log).count("activated PCR banks") == before, "the banks of a saved TPM were changed")
    expect(swarm.virsh("domstate", "tpmsave").strip() == "running", "the guest does not go on")
    swarm.virsh("destroy", "tpmsave")


def test_tpm_of_a_start_that_fails(swarm):
    require_swtpm()
    text = swarm.domain("tpmfail", TPM).replace("</domain>", BROKEN)
    swarm.virsh("define", "/dev/stdin", text=text)
    error = swarm.virsh("start", "tpmfail", ok=False)
    expect("bogus" in error, error)
    expect(is_gone("swtpm"), str(processes("swtpm")))
    expect(not os.listdir(f"{RUN}/swtpm"), str(os.listdir(f"{RUN}/swtpm")))
    secret = "<encryption secret='11111111-2222-3333-4444-555555555555'/></backend>"
    text = swarm.domain("tpmsecret", TPM.replace("/></tpm>", ">" + secret + "</tpm>"))
    swarm.virsh("define", "/dev/stdin", text=text)
    error = swarm.virsh("start", "tpmsecret", ok=False)
    expect("no secret with matching uuid" in error, error)
    expect(not os.path.exists(f"{STATES}/{swarm.virsh('domuuid', 'tpmsecret').strip()}"), "a TPM without its secret")


def test_external_tpm(swarm):
    device = "<tpm model='tpm-tis'><backend type='external'><source type='unix' mode='connect' path='/run/own.sock'/>" \
             "</backend></tpm>"
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("owntpm", device))
    error = swarm.virsh("start", "owntpm", ok=False)
    expect("Failed to connect to '/run/own.sock'" in error, error)


def test_directory_of_the_host(swarm):
    os.makedirs("/run/shared", exist_ok=True)
    text = swarm.domain("shares", DIRECTORY.format("/run/shared")).replace("<vcpu>", SHARED)
    swarm.virsh("define", "/dev/stdin", text=text)
    swarm.virsh("start", "shares")
    expect("<binary path='/usr/lib/qemu/virtiofsd'/>" in swarm.virsh("dumpxml", "shares"), "no program in the document")
    first = processes("virtiofsd")
    expect(first and first[0][2:4] == ["-o", "source=/run/shared"], str(first))
    wait_for("virtiofsd's log", lambda: "Received vhost-user socket connection" in read(
        "/var/log/libvirt/qemu/shares-fs0-virtiofsd.log"))
    swarm.restart("virtqemud")
    wait_for("the guest to be found", lambda: swarm.virsh("domstate", "shares").strip() == "running")
    expect(processes("virtiofsd"), "virtiofsd did not outlive the daemon")
    swarm.virsh("destroy", "shares")
    wait_for("virtiofsd to end", lambda: is_gone("virtiofsd"))
    expect(not files(RUN, "-fs.pid"), str(files(RUN, "-fs.pid")))


def test_directory_is_plugged(swarm):
    os.makedirs("/run/shared", exist_ok=True)
    text = swarm.domain("plugfs").replace("<vcpu>", SHARED)
    swarm.virsh("define", "/dev/stdin", text=text)
    swarm.boot_again("plugfs")
    device = DIRECTORY.format("/run/shared")
    error = swarm.virsh("attach-device", "plugfs", "/dev/stdin", "--live", ok=False,
                        text=device.replace("type='virtiofs'", "type='path'"))
    expect("only virtiofs filesystems can be hotplugged" in error, error)
    swarm.virsh("attach-device", "plugfs", "/dev/stdin", "--live", text=device)
    expect(processes("virtiofsd"), "virtiofsd does not run")
    expect("<alias name='fs0'/>" in swarm.virsh("dumpxml", "plugfs"), "the directory is not in the document")
    swarm.virsh("detach-device-alias", "plugfs", "fs0", "--live")
    wait_for("the guest to let go", lambda: "<filesystem" not in swarm.virsh("dumpxml", "plugfs"))
    wait_for("virtiofsd to end", lambda: is_gone("virtiofsd"))
    expect(not files(RUN, "-fs.pid"), str(files(RUN, "-fs.pid")))


def test_directory_of_a_start_that_fails(swarm):
    text = swarm.domain("nodir", DIRECTORY.format("/nonexistent")).replace("<vcpu>", SHARED)
    swarm.virsh("define", "/dev/stdin", text=text)
    error = swarm.virsh("start", "nodir", ok=False)
    expect("the virtiofs export directory '/nonexistent' does not exist" in error, error)
    text = swarm.domain("dirfail", DIRECTORY.format("/run")).replace("<vcpu>", SHARED).replace("</domain>", BROKEN)
    swarm.virsh("define", "/dev/stdin", text=text)
    error = swarm.virsh("start", "dirfail", ok=False)
    expect("bogus" in error, error)
    expect(is_gone("virtiofsd"), str(processes("virtiofsd")))
    expect(not files(RUN, "-fs.pid"), str(files(RUN, "-fs.pid")))
    other = "<driver type='virtiofs'/><binary path='/bin/false'/>"
    text = swarm.domain("wrongfs", DIRECTORY.format("/run").replace("<driver type='virtiofs'/>", other))
    swarm.virsh("define", "/dev/stdin", text=text.replace("<vcpu>", SHARED))
    error = swarm.virsh("start", "wrongfs", ok=False)
    # It may last until QEMU wants to connect.
    expect("virtiofsd died unexpectedly" in error or "Connection refused" in error, error)
    expect(not files(RUN, "-fs.pid"), str(files(RUN, "-fs.pid")))


# Holds a pid file locked as C libvirt's and our children do.
HOLDER = """import fcntl, os, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
file.write(str(os.getpid()))
file.flush()
print("held", flush=True)
time.sleep(600)
"""


def test_companions_of_a_start_that_was_interrupted(swarm):
    """A daemon that was killed between a companion and its QEMU: the next one ends what no guest has."""
    swarm.boot("unharmed")
    orphans = {}
    for path in (f"{RUN}/99-ghost-fs0-fs.pid", f"{RUN}/swtpm/99-ghost-swtpm.pid"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        orphans[path] = subprocess.Popen(
            [sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, start_new_session=True)
        orphans[path].stdout.readline()
    swarm.restart("virtqemud")
    for path, process in orphans.items():
        expect(process.wait(timeout=30) != 0, "it ended by itself")
        wait_for("the pid file to go", lambda: not os.path.exists(path))
    expect(swarm.virsh("domstate", "unharmed").strip() == "running", "a guest was ended")
