"""Take-over with guests running: what C libvirtd started is found again by our daemons, and the other way round.

Guests of every kind are started under one side and compared on the other; some are booted, and have to do what they are
told there."""
import signal
import sys
import time
import traceback

import libvirt

import kinds
import living
import variants
from lifecycle import expect
from sides import Sides, check_same, view
from swarm import Failure, read


def take_over_kinds(sides, first, kind):
    sides.switch(first)
    variants.make_images()
    if kind == "network":
        living.start_network(sides)
    servers = kinds.start_servers() if kind == "storage" else []
    try:
        take_over_table(sides, [variant for variant in dict(variants.ALL)[kind] if variant.in_c])
    finally:
        for server in servers:
            server.terminate()
            server.wait()


def take_over_table(sides, table):
    before, problems = {}, []
    pids = {}
    for variant in table:
        try:
            variant.make_images()
            domain = sides.connection.createXML(variant.xml(sides.swarm.guest), libvirt.VIR_DOMAIN_START_PAUSED)
            before[variant.name] = view(domain)
            pids[variant.name] = sides.swarm.pid(variant.name)
        except libvirt.libvirtError as error:
            problems.append(f"{variant.name} cannot be started under {sides.side}: {error}")
    sides.switch(sides.other())
    for name, seen in before.items():
        try:
            domain = sides.connection.lookupByName(name)
            check_same(name, seen, view(domain), problems)
            expect(sides.swarm.pid(name) == pids[name], "it is another process")
            domain.resume()
            expect(domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "it does not run")
            domain.suspend()
            domain.destroy()
        except Exception as error:
            problems.append(f"{name}: {error}")
    print(f"     {len(before)} of {len(table)} guests started, {len(problems)} problems", flush=True)
    expect(not problems, "\n".join(problems))


def tests():
    for first, text in (("c", "from-c"), ("ours", "to-c")):
        for kind, _ in variants.ALL:
            yield f"{kind}-kinds-{text}", lambda sides, first=first, kind=kind: take_over_kinds(sides, first, kind)
        yield f"living-guests-{text}", lambda sides, first=first: living.take_over_living(sides, first)


def main():
    build, guest, only = sys.argv[1:4]
    libvirt.registerErrorHandler(lambda *_: None, None)
    sides = Sides(build, guest)
    sides.start_shared("/usr/sbin")
    passed = failed = 0
    for name, function in tests():
        if only not in name:
            continue
        begin = time.monotonic()
        try:
            function(sides)
            passed += 1
            print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL {name}: {error if isinstance(error, Failure) else traceback.format_exc()}", flush=True)
            for daemon in sides.commands(sides.side):
                print(f"--- {daemon}:\n{read(f'/run/{daemon}.stderr')[-1500:]}", flush=True)
        sides.clean()
    for name in list(sides.swarm.processes):
        sides.swarm.kill(name, signal.SIGTERM)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


main()
