"""Integration tests. Each test is a function of the swarm; they run in order and leave nothing to each other."""
import sys
import time
import traceback

import blockjobs
import calls
import capcache
import companions
import descriptors
import devices
import failures
import hooks
import hostile
import images
import kinds
import lifecycle
import limits
import locks
import network
import polkit
import restart
import snapshots
import storage
import upgrade
from swarm import Failure, Swarm, read, DAEMONS


def main():
    build, guest, only = sys.argv[1:4]
    tests = [(f"{module.__name__}.{name}", function)
             for module in (lifecycle, failures, calls, devices, descriptors, companions, kinds, images, blockjobs,
                            limits, network, polkit, hooks, capcache, storage, snapshots, hostile, restart, locks, upgrade)
             for name, function in vars(module).items() if name.startswith("test_")]
    swarm = Swarm(build, guest)
    swarm.start()
    passed = failed = 0
    for name, function in tests:
        if only not in name:
            continue
        begin = time.monotonic()
        try:
            function(swarm)
            passed += 1
            print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL {name}: {error if isinstance(error, Failure) else traceback.format_exc()}", flush=True)
            for daemon in DAEMONS:
                tail = read(f"/run/{daemon}.stderr")[-1500:]
                if tail:
                    print(f"--- {daemon}:\n{tail}", flush=True)
        clean(swarm)
    swarm.stop()
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


def clean(swarm):
    """No guest, network or pool of one test meets the next; daemons that died are started again."""
    missing = [name for name in DAEMONS
               if name not in swarm.processes or swarm.processes[name].poll() is not None]
    for name in missing:
        swarm.processes.pop(name, None)
    if missing:
        swarm.start(*missing)
    for name in swarm.virsh("list", "--name", ok=None).split():
        swarm.virsh("destroy", name, ok=None)
    for name in swarm.virsh("list", "--all", "--name", ok=None).split():
        swarm.virsh("undefine", name, "--snapshots-metadata", "--checkpoints-metadata", ok=None)
    for name in swarm.virsh("net-list", "--name", ok=None).split():
        swarm.virsh("net-destroy", name, ok=None)
    for name in swarm.virsh("net-list", "--all", "--name", ok=None).split():
        swarm.virsh("net-undefine", name, ok=None)
    for name in swarm.virsh("pool-list", "--name", ok=None).split():
        swarm.virsh("pool-destroy", name, ok=None)
    for name in swarm.virsh("pool-list", "--all", "--name", ok=None).split():
        swarm.virsh("pool-undefine", name, ok=None)


main()
