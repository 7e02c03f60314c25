"""virtlogd by its own protocol: what it holds survives its program, whichever takes its place."""
import os
import shutil
import signal
import subprocess
import threading

from lifecycle import expect
from logclient import POSITION, TRUNCATE, LogClient, Refused
from swarm import PATIENCE, Failure, read, wait_for

UPGRADES = int(os.environ.get("VIRTSWARM_UPGRADES", "20"))
WRITERS = 10
# What a writer writes before it waits for its log: less than the files hold, so that all of it is there to be checked.
WINDOW = 1 << 20
LIBVIRTS_OWN = "/usr/sbin/virtlogd"
CONFIGURATION = "/etc/libvirt/virtlogd.conf"


class Daemon:
    """A virtlogd whose name leads to one program or another."""

    def __init__(self, swarm, configuration="", program=None):
        self.ours = f"{swarm.build}/virtlogd"
        self.name = "/run/upgrade/virtlogd"
        self.log = "/run/upgrade/stderr"
        os.makedirs("/run/upgrade", exist_ok=True)
        with open(CONFIGURATION, "w") as file:
            file.write(configuration)
        if "virtlogd" in swarm.processes:
            swarm.kill("virtlogd", signal.SIGTERM)
        self.point_to(self.ours)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(program or [self.name], stderr=log, stdout=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True)
        self.pid = self.process.pid

    def __enter__(self):
        wait_for("virtlogd", self.answers)
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        status = self.process.wait(timeout=PATIENCE)
        os.unlink(CONFIGURATION)
        if kind:
            print(f"--- virtlogd, which ended with {status}:\n{read(self.log)[-2000:]}", flush=True)

    def answers(self):
        expect(self.process.poll() is None, f"virtlogd ended: {read(self.log)[-2000:]}")
        try:
            client = LogClient()
        except OSError:
            return False
        try:
            client.position("/no/such/log")
        except Refused:
            return True
        finally:
            client.close()
        return False

    def point_to(self, program):
        if os.path.lexists(self.name):
            os.unlink(self.name)
        os.symlink(program, self.name)

    def image(self):
        """Tells a program's run from another's in the same process: where it lies in memory. None between the two."""
        try:
            with open(f"/proc/{self.pid}/maps") as maps:
                first = maps.readline()
            return (os.readlink(f"/proc/{self.pid}/exe"), first.split("-")[0]) if first else None
        except (FileNotFoundError, ProcessLookupError):
            expect(self.process.poll() is None, f"virtlogd ended with {self.process.returncode}")
            return None

    def upgrade(self, program):
        self.point_to(program)
        before = self.image()
        os.kill(self.pid, signal.SIGUSR1)
        image = wait_for("another program", lambda: (image := self.image()) != before and image)
        expect(image[0] == os.path.realpath(program), f"{image[0]} runs instead of {program}")
        wait_for("the program", self.answers)


def programs(daemon):
    """Ours, and libvirt's own where it is installed."""
    if os.access(LIBVIRTS_OWN, os.X_OK):
        text = subprocess.run([LIBVIRTS_OWN, "--help"], capture_output=True, text=True).stdout
        if "--root" not in text:
            return [daemon.ours, LIBVIRTS_OWN]
    print(f"     no {LIBVIRTS_OWN} of libvirt's own: ours only replaces itself", flush=True)
    return [daemon.ours]


def text_of(path, backups=32):
    """A log from its oldest file to its newest."""
    names = [f"{path}.{index}" for index in reversed(range(backups))] + [path]
    return "".join(read(name) for name in names)


class Writer(threading.Thread):
    """Writes numbered lines as fast as they are taken, and finds each in the log, once and in its place."""

    def __init__(self, descriptor, path, done):
        super().__init__(daemon=True)
        self.descriptor, self.path, self.done = descriptor, path, done
        self.lines, self.error = 0, None
        self.start()

    def run(self):
        try:
            last = ""
            while not self.done.is_set():
                last = self.window(last)
        except Exception as error:
            self.error = error
        os.close(self.descriptor)

    def window(self, before):
        lines, size = [], 0
        while size < WINDOW:
            self.lines += 1
            lines.append(f"{self.path} line {self.lines} {'x' * (self.lines % 71)}\n")
            size += len(lines[-1])
        # A few lines at a time, as a guest does.
        for start in range(0, len(lines), 40):
            self.write("".join(lines[start:start + 40]).encode())
        wait_for(f"line {self.lines} of {self.path}", lambda: self.tail(lines[-1]))
        text, expected = text_of(self.path), before + "".join(lines)
        expect(text.endswith(expected), self.difference(text, before, lines))
        return lines[-1]

    def write(self, data):
        while data:
            data = data[os.write(self.descriptor, data):]

    def tail(self, line):
        try:
            with open(self.path, "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - len(line)))
                return file.read() == line.encode()
        except FileNotFoundError:
            return False

    def difference(self, text, before, lines):
        found = text[text.rfind(before):].splitlines(True)[1 if before else 0:]
        for index, line in enumerate(lines):
            if index >= len(found) or found[index] != line:
                return f"{self.path}: {line!r} is {found[index:index + 1]}, {len(lines) - index} before the end"
        return f"{self.path}: {len(found)} lines instead of {len(lines)}"


def test_logs_survive_each_program(swarm):
    with Daemon(swarm, "max_size = 65536\nmax_backups = 32\n") as daemon:
        choice = programs(daemon)
        client = LogClient()
        paths = [f"/var/log/libvirt/upgrade-{index}.log" for index in range(WRITERS)]
        done = threading.Event()
        writers = [Writer(client.open(path, f"writer-{index}"), path, done) for index, path in enumerate(paths)]
        try:
            for round in range(UPGRADES):
                ours = daemon.image()[0] == os.path.realpath(daemon.ours)
                following = choice[(round + 1) % len(choice)]
                message = client.message(POSITION, client.position_arguments(paths[round % WRITERS]))
                # libvirt's own program may lose what is under way, and does not know what ours has read already.
                sent = 0 if not ours else len(message) if following != daemon.ours or round % 4 else round % len(message)
                client.socket.sendall(message[:sent])
                daemon.upgrade(following)
                client.socket.sendall(message[sent:])
                client.reply()
                expect(client.position(paths[0])[0] > 0, "no position")
                for writer in writers:
                    expect(not writer.error, str(writer.error))
        finally:
            done.set()
            for writer in writers:
                writer.join(PATIENCE)
        for writer in writers:
            expect(not writer.error and not writer.is_alive(), str(writer.error))
        lines = sum(writer.lines for writer in writers)
        print(f"     {lines} lines through {UPGRADES} programs ({len(choice)} kinds)", flush=True)


def test_program(swarm):
    path = "/var/log/libvirt/program.log"
    with Daemon(swarm, "max_size = 1000\nmax_backups = 3\n"):
        client = LogClient()
        pipe = client.open(path, "guest")
        os.write(pipe, b"first\n")
        start = client.position(path)
        expect(start == (os.stat(path).st_ino, 6), f"position {start}")
        expect(os.stat(path).st_mode & 0o7777 == 0o600, "mode")
        for other in (client, LogClient()):
            try:
                other.open(path)
                raise Failure("a log was opened twice")
            except Refused as error:
                expect(str(error) == f"Cannot open log file: '{path}': Device or resource busy", str(error))
        lines = b"".join(b"line %d\n" % index for index in range(300))
        os.write(pipe, lines)
        client.append(path, "from the daemon\n")
        expect(client.read(path, start) == lines + b"from the daemon\n", "reading on across files")
        expect(client.read(path, start, 50) == lines[:50], "reading so much")
        for index, name in enumerate([path, f"{path}.0", f"{path}.1"]):
            text = read(name)
            expect(text.endswith("\n") and (index == 0 or 900 < len(text) <= 1000), f"{name}: {text!r}")
        os.close(pipe)
        wait_for("the log's end", lambda: is_refused(lambda: client.position(path)))
        pipe = client.open(path, "guest", TRUNCATE)
        expect(client.position(path)[1] == 0 and not os.path.exists(f"{path}.0"), "truncation")
        os.close(pipe)
        result = subprocess.run(["virt-admin", "-c", "virtlogd:///system", "srv-clients-list", "virtlogd"],
                                capture_output=True, text=True)
        expect("unix" in result.stdout, f"clients: {result.stdout}{result.stderr}")


def is_refused(call):
    try:
        call()
        return False
    except Refused:
        return True


def test_full_disk(swarm):
    """Nothing is lost where there is no room, and nobody else waits for it."""
    small, room = "/run/small", "size=192k"
    os.makedirs(small, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", room, "tmpfs", small], check=True)
    try:
        with Daemon(swarm, "max_size = 0\n") as daemon:
            client = LogClient()
            stuck, free = f"{small}/stuck.log", "/var/log/libvirt/free.log"
            pipes = [client.open(stuck, "stuck-guest"), client.open(free, "free-guest")]
            texts = ["".join(f"{name} {index}\n" for index in range(60000)) for name in ("stuck", "free")]
            threads = [threading.Thread(target=write_all, args=pair, daemon=True) for pair in zip(pipes, texts)]
            for thread in threads:
                thread.start()
            wait_for("the disk to be full", lambda: os.statvfs(small).f_bavail == 0)
            threads[1].join(PATIENCE)
            wait_for("the other log", lambda: read(free) == texts[1])
            wait_for("the report", lambda: len(reports(daemon)) == 1)
            # The pipe is full, the guest waits; it goes on through another program too.
            daemon.upgrade(daemon.ours)
            wait_for("the next program's report", lambda: len(reports(daemon)) == 2)
            subprocess.run(["mount", "-o", "remount,size=8m", small], check=True)
            threads[0].join(PATIENCE)
            wait_for("the log on the small disk", lambda: read(stuck) == texts[0])
            expect(len(reports(daemon)) == 2, f"each program reports once: {reports(daemon)}")
    finally:
        subprocess.run(["umount", small], check=True)


def reports(daemon):
    return [line for line in read(daemon.log).splitlines() if "stuck-guest" in line and "No space" in line]


def write_all(descriptor, text):
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data[:4096]):]
    os.close(descriptor)


def test_hostile_state(swarm):
    """A state file that makes no sense is refused, and the daemon starts empty."""
    state = "/run/virtlogd-restart-exec.json"
    for text in ("", "{", "[]", '{"magic": "PID"}', '{"magic": "PID", "daemon": {"servers": {"virtlogd": 5}}}'):
        # The shell's pid is the daemon's: it looks like what the program before left.
        script = f"printf '%s' '{text}' | sed s/PID/$$/ >{state}; exec /run/upgrade/virtlogd 3>/dev/null"
        with Daemon(swarm, program=["sh", "-c", script]) as daemon:
            expect(not os.path.exists(state), "the file is still there")
            client = LogClient()
            os.close(client.open("/var/log/libvirt/hostile.log"))
            expect("refused" in read(daemon.log), read(daemon.log))
            expect(not os.path.exists(f"/proc/{daemon.pid}/fd/3")
                   or os.readlink(f"/proc/{daemon.pid}/fd/3") != "/dev/null", "an unclaimed descriptor is open")


def test_broken_program(swarm):
    """Where the other program cannot be started, the old one goes on."""
    path = "/var/log/libvirt/broken.log"
    with Daemon(swarm) as daemon:
        client = LogClient()
        pipe = client.open(path)
        os.write(pipe, b"before\n")
        image = daemon.image()
        for program in ("/no/such/program", "/etc/passwd"):
            daemon.point_to(program)
            client.send(POSITION, client.position_arguments(path))
            os.kill(daemon.pid, signal.SIGUSR1)
            wait_for("the report", lambda: read(daemon.log).count("Unable to restart self") > 0)
            client.reply()
            expect(client.position(path)[0] == os.stat(path).st_ino, "position")
            expect(daemon.image() == image, "another program")
            expect(not os.path.exists("/run/virtlogd-restart-exec.json"), "the state file is left")
        os.write(pipe, b"after\n")
        client.position(path)
        expect(read(path) == "before\nafter\n", read(path))
        daemon.upgrade(daemon.ours)
        os.write(pipe, b"later\n")
        client.position(path)
        expect(read(path) == "before\nafter\nlater\n", read(path))


def test_session(swarm):
    """A user's own virtlogd: its places, its upgrade, and nobody else's calls."""
    runtime, user = "/run/session", 65534
    os.makedirs(f"{runtime}/log", exist_ok=True)
    for directory in (runtime, f"{runtime}/log"):
        os.chown(directory, user, user)
    # The user may not be allowed to look into the directory of the build, nor into this one.
    here = os.path.dirname(__file__)
    for path in (f"{swarm.build}/virtlogd", *(f"{here}/{name}" for name in os.listdir(here) if name.endswith(".py"))):
        shutil.copy(path, runtime)
    environment = {"XDG_RUNTIME_DIR": runtime, "HOME": runtime, "PATH": os.environ["PATH"]}
    socket_path = f"{runtime}/libvirt/virtlogd-sock"
    with open(f"{runtime}/stderr", "wb") as log:
        process = subprocess.Popen([f"{runtime}/virtlogd"], env=environment, stderr=log, user=user, group=user,
                                   extra_groups=[], start_new_session=True)
    try:
        wait_for("the session's socket", lambda: os.path.exists(socket_path))
        stranger = LogClient(socket_path)
        try:
            stranger.open(f"{runtime}/log/g.log")
            raise Failure("root is not the session's user")
        except (EOFError, ConnectionError):
            pass
        script = f"""
import os, signal, sys
sys.path.insert(0, {runtime!r})
from logclient import LogClient
client = LogClient({socket_path!r})
pipe = client.open({runtime + '/log/g.log'!r})
os.write(pipe, b"one\\n")
os.kill({process.pid}, signal.SIGUSR1)
os.write(pipe, b"two\\n")
assert client.position({runtime + '/log/g.log'!r})[1] == 8
"""
        subprocess.run(["/usr/bin/python3", "-B", "-c", script], check=True, user=user, group=user, extra_groups=[],
                       timeout=PATIENCE)
        expect(read(f"{runtime}/log/g.log") == "one\ntwo\n", read(f"{runtime}/log/g.log"))
        expect(process.poll() is None, read(f"{runtime}/stderr"))
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
