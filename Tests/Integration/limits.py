"""What the kernel lets a guest use: its control group, seen through virsh and in the kernel's own files."""
import glob
import os

from lifecycle import expect
from swarm import wait_for

LIMITED = """<domain type='qemu'><name>limited</name><memory unit='MiB'>64</memory><vcpu>2</vcpu><iothreads>1</iothreads>
<cputune><shares>700</shares><quota>90000</quota><vcpupin vcpu='0' cpuset='0'/><vcpusched vcpus='1' scheduler='batch'/>
</cputune><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"""


def have_groups():
    """Whether this machine's control groups can be written, as a guest's have to be."""
    places = glob.glob("/sys/fs/cgroup/cpu*") or ["/sys/fs/cgroup"]
    return any(os.access(place, os.W_OK) and os.statvfs(place).f_flag & os.ST_RDONLY == 0 for place in places)


def groups(pid):
    """The paths of a process in the trees: tree -> path."""
    with open(f"/proc/{pid}/cgroup") as file:
        return {line.split(":")[1]: line.rstrip("\n").split(":", 2)[2] for line in file}


def threads(pid):
    return {name: groups(f"{pid}/task/{name}") for name in os.listdir(f"/proc/{pid}/task")}


def test_guest_in_its_group(swarm):
    if not have_groups():
        return print("     no control groups here: not tested", flush=True)
    swarm.virsh("define", "/dev/stdin", text=LIMITED)
    swarm.virsh("start", "limited", "--paused")
    pid = swarm.pid("limited")
    paths = {path for group in threads(pid).values() for path in group.values()}
    ends = {path.split(".libvirt-qemu", 1)[1] for path in paths if ".libvirt-qemu" in path}
    expect({"/emulator", "/vcpu0", "/vcpu1", "/iothread1"} <= ends, f"groups of threads: {sorted(ends)}")
    shown = dict(line.split(":") for line in swarm.virsh("schedinfo", "limited").replace(" ", "").split() if ":" in line)
    expect(shown["cpu_shares"] == "700" and shown["vcpu_quota"] == "90000", f"schedinfo {shown}")
    expect(shown["emulator_quota"] == "-1", f"schedinfo {shown}")
    swarm.virsh("schedinfo", "limited", "--live", "vcpu_quota=50000")
    expect("50000" in swarm.virsh("schedinfo", "limited"), "a new quota")
    expect("<quota>50000</quota>" in swarm.virsh("dumpxml", "limited"), "the quota in the live definition")
    expect("<quota>90000</quota>" in swarm.virsh("dumpxml", "--inactive", "limited"), "the definition's quota")
    swarm.virsh("memtune", "limited", "--soft-limit", "100000", "--live")
    expect("100000" in swarm.virsh("memtune", "limited"), "the soft limit")
    swarm.virsh("schedinfo", "limited", "--live", "cpu_shares=1", ok=False)
    expect("cpu_time" in swarm.virsh("cpu-stats", "limited", "--total"), "processor time")
    places = [place for place in glob.glob("/sys/fs/cgroup/**/*-limited.libvirt-qemu", recursive=True)]
    expect(places, "no directory of the guest")
    swarm.virsh("destroy", "limited")
    left = [place for place in places if os.path.isdir(place)]
    expect(not left, f"left behind: {left}")


def test_group_is_found_again(swarm):
    if not have_groups():
        return print("     no control groups here: not tested", flush=True)
    swarm.virsh("define", "/dev/stdin", text=LIMITED.replace("limited", "found"))
    swarm.virsh("start", "found", "--paused")
    swarm.restart("virtqemud")
    wait_for("the guest to be found", lambda: "paused" in swarm.virsh("domstate", "found", ok=None))
    wait_for("its group", lambda: "700" in swarm.virsh("schedinfo", "found", ok=None))
    swarm.virsh("iothreadadd", "found", "4", "--live")
    pid = swarm.pid("found")
    expect(any(path.endswith("/iothread4") for group in threads(pid).values() for path in group.values()),
           "a new thread has no group")
    swarm.virsh("iothreaddel", "found", "4", "--live")
    expect(not glob.glob("/sys/fs/cgroup/**/*-found.libvirt-qemu/iothread4", recursive=True), "its group stays")
