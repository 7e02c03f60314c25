"""hold-locks.py COUNT: holds locks of virtlockd until standard input ends, and says "held" when it has them."""
import os
import socket
import struct
import sys

PROGRAM, REGISTER, ACQUIRE, CREATE_SPACE, AUTOCREATE = 0x0EA7BEEF, 1, 6, 8, 2
SPACE = "/run/bench-locks"


def text(value):
    return struct.pack(">I", len(value)) + value.encode() + b"\0" * (-len(value) % 4)


def call(peer, procedure, payload):
    peer.sendall(struct.pack(">IIIiiIi", 28 + len(payload), PROGRAM, 1, procedure, 0, 1, 0) + payload)
    (length,) = struct.unpack(">I", peer.recv(4, socket.MSG_WAITALL))
    reply = peer.recv(length - 4, socket.MSG_WAITALL)
    if reply[20:24] != b"\0\0\0\0":
        sys.exit(f"call {procedure} failed: {reply[24:]}")


with socket.socket(socket.AF_UNIX) as virtlockd:
    virtlockd.connect("/run/libvirt/virtlockd-sock")
    call(virtlockd, CREATE_SPACE, text(SPACE))
    call(virtlockd, REGISTER, bytes(16) + text("bench") + struct.pack(">III", 1, os.getppid(), 0))
    for number in range(int(sys.argv[1])):
        call(virtlockd, ACQUIRE, text(SPACE) + text(f"lease-{number}") + struct.pack(">I", AUTOCREATE))
    print("held", flush=True)
    sys.stdin.read()
