"""Clients that are not root, and a real polkit that is asked about them."""
import contextlib
import os
import subprocess

from lifecycle import expect
from swarm import PATIENCE, listens, wait_for

POLICY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging/virtswarm.policy")
ACTIONS = "/usr/share/polkit-1/actions"
RULES = "/etc/polkit-1/rules.d"
# Two users that every Debian system has.
TRUSTED, OTHER = ("games", 5), ("man", 6)
RULE = """polkit.addRule(function(action, subject) {
    if (action.id == "org.libvirt.unix.manage") return subject.user == "%s" ? polkit.Result.YES : polkit.Result.NO;
});
""" % TRUSTED[0]


@contextlib.contextmanager
def directory(path, files):
    """A directory with nothing but these files."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path], check=True)
    try:
        for name, text in files.items():
            with open(f"{path}/{name}", "w") as file:
                file.write(text)
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@contextlib.contextmanager
def process(*command):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(timeout=PATIENCE)


def virsh(user, *arguments, socket="virtqemud-sock"):
    command = ["setpriv", f"--reuid={user[1]}", f"--regid={user[1]}", "--clear-groups", "virsh", "-q", "-c",
               f"qemu:///system?socket=/run/libvirt/{socket}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def is_known():
    """polkit answers, and has its rules."""
    return subprocess.run(["pkaction", "--action-id", "org.libvirt.unix.manage"], capture_output=True).returncode == 0


def test_polkit(swarm):
    os.makedirs("/run/dbus", exist_ok=True)
    with open(POLICY) as file:
        policy = file.read()
    refused = virsh(TRUSTED, "list")
    expect(refused.returncode != 0 and "polkit" in refused.stderr, f"without polkit: {refused.stdout}{refused.stderr}")
    with directory(ACTIONS, {"virtswarm.policy": policy}), directory(RULES, {"50-test.rules": RULE}), \
            process("dbus-daemon", "--system", "--nofork", "--nopidfile"):
        wait_for("the bus", lambda: listens("/run/dbus/system_bus_socket"))
        with process("/usr/lib/polkit-1/polkitd", "--no-debug"):
            wait_for("polkit", is_known)
            result = virsh(TRUSTED, "list", "--all")
            expect(result.returncode == 0, f"the trusted user is refused: {result.stderr}")
            result = virsh(OTHER, "list", "--all")
            expect(result.returncode != 0 and "authentication" in result.stderr, f"{result.stdout}{result.stderr}")
            result = virsh(OTHER, "--readonly", "list", "--all", socket="virtqemud-sock-ro")
            expect(result.returncode == 0, f"looking is refused: {result.stderr}")
            result = virsh(OTHER, "--readonly", "net-list", socket="virtqemud-sock-ro")
            expect(result.returncode == 0, f"looking at networks is refused: {result.stderr}")
