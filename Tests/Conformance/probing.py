"""probing.py BUILD DIALOGUES: each recorded dialogue (ARCHITECTURE-*.jsonl) is probed by our daemon and by C libvirtd, with
an emulator that only answers from it (replay.py). What both keep in their cache files has to be the same. Ends with
"probing: P/T passed"."""
import difflib
import glob
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
LIBVIRTD = "/usr/sbin/libvirtd"
CACHE = "/var/cache/libvirt/qemu/capabilities"
EMULATORS = "/run/emulators"
# What says whose file it is, and when it was made.
ORIGIN = {"qemuctime", "qemumoddirmtime", "selfctime", "selfvers", "proberctime"}


def emulators(dialogues):
    """For each dialogue a program that answers from it, where the user that QEMU runs as may run it."""
    os.makedirs(EMULATORS, exist_ok=True)
    replay = shutil.copy(f"{HERE}/replay.py", EMULATORS)
    found = {}
    for path in sorted(glob.glob(f"{dialogues}/*.jsonl")):
        name = "qemu-system-" + os.path.basename(path).split(".")[0].split("-")[0]
        copy = shutil.copy(path, EMULATORS)
        os.chmod(copy, 0o644)
        program = f"{EMULATORS}/{name}"
        with open(program, "w") as file:
            file.write(f'#!/bin/sh\nexec /usr/bin/python3 {replay} {copy} "$@"\n')
        os.chmod(program, 0o755)
        found[name] = program
    return found


def ours(build, program):
    helper = subprocess.run([f"{build}/virtqemud", "--qemu-capabilities", "-", program], capture_output=True, text=True)
    if helper.returncode:
        raise ValueError(helper.stdout + helper.stderr)
    return facts(ElementTree.fromstring(helper.stdout))


def theirs(programs):
    """C libvirtd probes each emulator of its PATH when it is asked for its capabilities."""
    environment = {**os.environ, "PATH": f"{EMULATORS}:/usr/sbin:/usr/bin:/sbin:/bin"}
    with open("/etc/libvirt/qemu.conf", "a") as file:
        file.write('security_driver = "none"\n')
    daemon = subprocess.Popen([LIBVIRTD, "--timeout", "600"], env=environment, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while subprocess.run(["virsh", "-c", "qemu:///system", "capabilities"], capture_output=True).returncode:
            if daemon.poll() is not None or time.monotonic() > end:
                raise SystemExit("probing: C libvirtd does not answer")
            time.sleep(0.1)
    finally:
        daemon.terminate()
        daemon.wait()
    found = {}
    for path in glob.glob(f"{CACHE}/*.xml"):
        root = ElementTree.parse(path).getroot()
        found[root.findtext("emulator")] = facts(root)
    return {name: found.get(program) for name, program in programs.items()}


def facts(root):
    """Each fact as a line of its own."""
    return [ElementTree.tostring(each, encoding="unicode").strip() for each in root
            if each.tag not in ORIGIN and each.tag != "emulator"]


def main():
    build, dialogues = sys.argv[1:3]
    programs = emulators(dialogues)
    expected = theirs(programs)
    passed = 0
    for name, program in programs.items():
        try:
            found, wanted = ours(build, program), expected[name]
        except ValueError as error:
            found, wanted = [str(error)], expected[name]
        if wanted and found == wanted:
            passed += 1
            continue
        print(f"FAIL {name}: " + ("" if wanted else "C libvirtd has no facts of it"))
        for line in list(difflib.unified_diff(wanted or [], found, "C", "ours", "", "", 0))[:40]:
            print("  " + line[:300])
    print(f"probing: {passed}/{len(programs)} passed")
    sys.exit(passed != len(programs))


main()
