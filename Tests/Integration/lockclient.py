"""A client of virtlockd that speaks its protocol byte by byte, and a prober of the locks behind it."""
import fcntl
import os
import signal
import socket
import struct
import sys
import time
import uuid

from swarm import PATIENCE

PROGRAM, VERSION = 0x0EA7BEEF, 1
REGISTER, RESTRICT, NEW, CREATE, DELETE, ACQUIRE, RELEASE, CREATE_SPACE = range(1, 9)
SHARED, AUTOCREATE = 1, 2
SOCKET = "/run/libvirt/virtlockd-sock"


class LockError(Exception):
    """What the daemon answered: code, domain and text."""

    def __init__(self, code, domain, text):
        super().__init__(text)
        self.code, self.domain, self.text = code, domain, text


def pack_string(text):
    raw = text.encode()
    return struct.pack(">I", len(raw)) + raw + b"\0" * (-len(raw) % 4)


class LockClient:
    """One connection. With `pid` it registers an owner at once."""

    def __init__(self, pid=None, path=SOCKET, name="tester", number=1):
        self.serial = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        if pid is not None:
            self.register(pid, name, number)

    def receive(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError("the daemon closed the connection")
            data += part
        return data

    def send(self, procedure, payload):
        self.serial += 1
        header = struct.pack(">IIiiIi", PROGRAM, VERSION, procedure, 0, self.serial, 0)
        self.socket.sendall(struct.pack(">I", 4 + len(header) + len(payload)) + header + payload)

    def answer(self):
        (length,) = struct.unpack(">I", self.receive(4))
        body = self.receive(length - 4)
        serial, status = struct.unpack(">Ii", body[16:24])
        assert serial == self.serial, f"answer {serial} to call {self.serial}"
        if status:
            raise self.error(body[24:])

    @staticmethod
    def error(payload):
        code, domain, present = struct.unpack(">iii", payload[:12])
        text = ""
        if present:
            (length,) = struct.unpack(">I", payload[12:16])
            text = payload[16:16 + length].decode()
        return LockError(code, domain, text)

    def call(self, procedure, payload):
        self.send(procedure, payload)
        self.answer()

    def register(self, pid, name="tester", number=1, flags=0):
        self.call(REGISTER, uuid.UUID(int=0x1234 << 64 | number).bytes + pack_string(name)
                  + struct.pack(">III", number, pid, flags))

    def restrict(self, flags=0):
        self.call(RESTRICT, struct.pack(">I", flags))

    def new(self, path, flags=0):
        self.call(NEW, pack_string(path) + struct.pack(">I", flags))

    def create_space(self, path):
        self.call(CREATE_SPACE, pack_string(path))

    def resource(self, procedure, path, name, flags=0):
        self.call(procedure, pack_string(path) + pack_string(name) + struct.pack(">I", flags))

    def create(self, path, name, flags=0):
        self.resource(CREATE, path, name, flags)

    def delete(self, path, name, flags=0):
        self.resource(DELETE, path, name, flags)

    def acquire(self, path, name, flags=0):
        self.resource(ACQUIRE, path, name, flags)

    def release(self, path, name, flags=0):
        self.resource(RELEASE, path, name, flags)

    def close(self):
        self.socket.close()


class Owner:
    """A process that connects to virtlockd itself, as a guest does before it becomes QEMU, holds locks and stays.

    virtlockd ends the process if it gives up its connection, so it is one of its own.
    """

    def __init__(self, resources, restrict=True, path=SOCKET):
        ready, done = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.run(resources, restrict, path, done)
        os.close(done)
        self.error = b""
        while part := os.read(ready, 4096):
            self.error += part
        os.close(ready)
        if self.error != b"ok":
            os.waitpid(self.pid, 0)
            raise LockError(-1, -1, self.error.decode())

    def run(self, resources, restrict, path, done):
        try:
            client = LockClient(os.getpid(), path)
            for space, name, flags in resources:
                client.acquire(space, name, flags)
            if restrict:
                client.restrict()
            os.write(done, b"ok")
        except BaseException as error:
            os.write(done, repr(error).encode())
            os._exit(1)
        os.close(done)
        while True:
            signal.pause()

    def end(self, number=signal.SIGKILL):
        os.kill(self.pid, number)
        return self.wait()

    def wait(self):
        return os.waitpid(self.pid, 0)[1]


def is_free(path, kind=fcntl.LOCK_EX):
    """Whether the first byte of a file could be locked by another process: this one."""
    with open(path, "r+b") as file:
        try:
            fcntl.lockf(file, kind | fcntl.LOCK_NB, 1, 0)
        except BlockingIOError:
            return False
        return True


class Prober:
    """A process that tries the locks of all `paths`, each millisecond, as another host's virtlockd would."""

    def __init__(self, paths, kind=fcntl.LOCK_EX):
        self.results, done = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.results)
            self.run(paths, kind, done)
        os.close(done)

    @staticmethod
    def run(paths, kind, done):
        stop = []
        signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
        files = [open(path, "r+b") for path in paths]
        rounds, taken = 0, []
        while not stop:
            for path, file in zip(paths, files):
                try:
                    fcntl.lockf(file, kind | fcntl.LOCK_NB, 1, 0)
                    taken.append(path)
                    fcntl.lockf(file, fcntl.LOCK_UN, 1, 0)
                except BlockingIOError:
                    pass
            rounds += 1
            time.sleep(0.001)
        os.write(done, f"{rounds}\n{' '.join(taken[:20])}".encode())
        os._exit(0)

    def stop(self):
        """(rounds made, the locks that were had)"""
        os.kill(self.pid, signal.SIGTERM)
        text = b""
        while part := os.read(self.results, 65536):
            text += part
        os.close(self.results)
        os.waitpid(self.pid, 0)
        rounds, taken = text.decode().split("\n", 1)
        return int(rounds), taken.split()


if __name__ == "__main__":
    sys.exit("a module of the integration tests")
