"""What bad input gets: an error or a closed connection, never the end of a daemon, and nothing is lost."""
import os
import socket
import struct
import subprocess

from lifecycle import expect
from swarm import DAEMONS, SOCKET, Failure

REMOTE = 0x20008086


def connect(daemon):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(60)
    peer.connect(f"/run/libvirt/{SOCKET.get(daemon, daemon)}-sock")
    return peer


def message(payload, procedure=66, kind=0, program=REMOTE, length=None):
    body = struct.pack(">IIiIIi", program, 1, procedure, kind, 1, 0) + payload
    return struct.pack(">I", len(body) + 4 if length is None else length) + body


def closes(peer):
    try:
        while peer.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def check_alive(swarm):
    for daemon in DAEMONS:
        if swarm.processes[daemon].poll() is not None:
            raise Failure(f"{daemon} ended with {swarm.processes[daemon].returncode}")
    swarm.virsh("list")


def test_frames(swarm):
    for daemon in DAEMONS:
        for garbage in (os.urandom(4096), b"\0" * 4096, b"\xff" * 4096, struct.pack(">I", 33554437) + b"x" * 64,
                        struct.pack(">I", 3), b"GET / HTTP/1.1\r\n\r\n"):
            peer = connect(daemon)
            try:
                peer.sendall(garbage)
                peer.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            expect(closes(peer), f"{daemon} keeps a broken connection")
            peer.close()
    check_alive(swarm)


def test_truncated_and_slow_frames(swarm):
    whole = message(b"")
    peers = []
    for count in range(1, len(whole)):
        peer = connect("virtproxyd")
        peer.sendall(whole[:count])
        peers.append(peer)
    check_alive(swarm)
    for count, peer in enumerate(peers, 1):
        for index in range(count, len(whole)):
            peer.sendall(whole[index:index + 1])
        expect(len(peer.recv(4096)) >= 28, "a slow frame was not answered")
        peer.close()


def test_counts(swarm):
    peer = connect("virtqemud")
    peer.sendall(message(b""))
    peer.recv(4096)
    for procedure in (1, 10, 11, 60, 273, 316, 344, 419):
        for payload in (b"\xff" * 4, b"\xff" * 64, b"\0\0\0\1" + b"\xff" * 4, b""):
            peer.sendall(message(payload, procedure))
            reply = peer.recv(65536)
            expect(len(reply) >= 28, f"procedure {procedure} was not answered")
    peer.close()
    check_alive(swarm)


def test_descriptors_nobody_asked_for(swarm):
    peer = connect("virtqemud")
    null = os.open("/dev/null", os.O_RDONLY)
    socket.send_fds(peer, [message(b"")], [null])
    expect(closes(peer), "an unannounced descriptor was taken")
    os.close(null)
    check_alive(swarm)


def test_many_connections(swarm):
    """10,000 attempts: those beyond the limits wait in the kernel's queue or are turned away; nothing breaks."""
    peers = []
    turned_away = 0
    try:
        for _ in range(10_000):
            peer = socket.socket(socket.AF_UNIX)
            peer.setblocking(False)
            try:
                peer.connect("/run/libvirt/libvirt-sock")
                peers.append(peer)
            except BlockingIOError:
                turned_away += 1
                peer.close()
        expect(len(peers) + turned_away == 10_000 and peers, "no connection was taken at all")
    finally:
        for peer in peers:
            peer.close()
    check_alive(swarm)


def test_documents(swarm):
    bomb = "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
        f"<!ENTITY a{n} '&a{n - 1 if n > 1 else ''};&a{n - 1 if n > 1 else ''};'>" for n in range(1, 30)
    ) + "]><domain><name>&a29;</name></domain>"
    deep = "<domain>" + "<a>" * 100_000 + "</a>" * 100_000 + "</domain>"
    large = "<domain><description>" + "x" * 3_900_000 + "</description></domain>"
    invalid = "<domain><name>\udcff\udcfe</name></domain>"
    for name, text in (("bomb", bomb), ("deep", deep), ("large", large), ("invalid", invalid), ("empty", " ")):
        with open("/run/document.xml", "w", errors="surrogateescape") as file:
            file.write(text)
        for command in ("define", "net-define", "pool-define"):
            error = swarm.virsh(command, "/run/document.xml", ok=False)
            expect("error:" in error and "socket" not in error, f"{name}: {command}: {error[:300]}")
    check_alive(swarm)


def test_full_disk(swarm):
    swarm.virsh("define", "/dev/stdin", text=swarm.domain("kept"))
    before = swarm.virsh("dumpxml", "kept")
    directory = "/etc/libvirt/qemu"
    status = os.statvfs(directory)
    filler = f"{directory}/filler"
    subprocess.run(["mount", "-o", "remount,size=1m", "/etc/libvirt"], check=True)
    try:
        try:
            with open(filler, "wb") as file:
                while True:
                    file.write(b"x" * 4096)
                    file.flush()
        except OSError:
            pass
        changed = swarm.domain("kept", memory=200).replace(
            "<name>", f"<uuid>{swarm.virsh('domuuid', 'kept').strip()}</uuid><name>")
        error = swarm.virsh("define", "/dev/stdin", text=changed, ok=False)
        expect("No space left on device" in error, error)
        expect(swarm.virsh("dumpxml", "kept") == before, "the definition changed in memory")
        expect("160" in open(f"{directory}/kept.xml").read() or "163840" in open(f"{directory}/kept.xml").read(),
               "the definition changed on disk")
    finally:
        if os.path.exists(filler):
            os.unlink(filler)
        subprocess.run(["mount", "-o", f"remount,size={status.f_blocks * status.f_frsize}", "/etc/libvirt"], check=True)
