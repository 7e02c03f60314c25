"""virtlogd's own program, spoken raw."""
import os
import socket
import struct

PROGRAM, VERSION = 0x87539319, 1
OPEN, POSITION, READ, APPEND = 1, 2, 3, 4
TRUNCATE = 1
CALL, REPLY_WITH_DESCRIPTORS = 0, 5


class Refused(Exception):
    """An error that the daemon answered with."""


def string(text):
    data = text.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


class LogClient:
    """A connection to virtlogd."""

    def __init__(self, path="/run/libvirt/virtlogd-sock", patience=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(path)
        self.serial = 0

    def close(self):
        self.socket.close()

    def message(self, procedure, payload):
        self.serial += 1
        header = struct.pack(">IIiiII", PROGRAM, VERSION, procedure, CALL, self.serial, 0)
        return struct.pack(">I", 4 + len(header) + len(payload)) + header + payload

    def send(self, procedure, payload):
        self.socket.sendall(self.message(procedure, payload))

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError("virtlogd closed the connection")
            data += part
        return data

    def reply(self):
        """The payload of the reply to the last call, and the descriptors that came with it."""
        length, = struct.unpack(">I", self.exactly(4))
        data = self.exactly(length - 4)
        _, _, _, kind, serial, status = struct.unpack(">IIiiII", data[:24])
        assert serial == self.serial, f"reply {serial} to call {self.serial}"
        data = data[24:]
        if status:
            size, = struct.unpack(">I", data[12:16])
            raise Refused(data[16:16 + size].decode())
        descriptors = []
        if kind == REPLY_WITH_DESCRIPTORS:
            count, = struct.unpack(">I", data[:4])
            data = data[4:]
            for _ in range(count):
                _, control, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
                descriptors.append(struct.unpack("i", control[0][2][:4])[0])
        return data, descriptors

    def call(self, procedure, payload):
        self.send(procedure, payload)
        return self.reply()

    @staticmethod
    def domain(name):
        return string("qemu") + os.urandom(16) + string(name)

    def open(self, path, name="guest", flags=0):
        """The pipe that the guest writes to."""
        _, descriptors = self.call(OPEN, self.domain(name) + string(path) + struct.pack(">I", flags))
        return descriptors[0]

    @staticmethod
    def position_arguments(path):
        return string(path) + struct.pack(">I", 0)

    def position(self, path):
        """Inode and offset of the end of the log."""
        return struct.unpack(">QQ", self.call(POSITION, self.position_arguments(path))[0])

    def read(self, path, position, most=1 << 22):
        data, _ = self.call(READ, string(path) + struct.pack(">QQQI", *position, most, 0))
        size, = struct.unpack(">I", data[:4])
        return data[4:4 + size]

    def append(self, path, text, name="guest"):
        self.call(APPEND, self.domain(name) + string(path) + string(text) + struct.pack(">I", 0))
