"""logs.py PID SOCKET DIRECTORY SECONDS: what one running virtlogd takes, as key=value.

mb_per_s: of one writer. cpu_ms_per_mb: of virtlogd for it. spread: the most over the least that one of 100 writers got
taken, at once. rss_mb: of virtlogd with 200 open logs."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "Integration"))
from logclient import LogClient  # noqa: E402

pid, path, directory, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
client = LogClient(path)
LINE = b"%063d\n" % 0


def cpu():
    """Milliseconds of processor time that virtlogd has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def resident():
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def one_writer():
    pipe = client.open(f"{directory}/one.log")
    block, written, before = LINE * 1024, 0, cpu()
    start = time.monotonic()
    while time.monotonic() < start + seconds:
        written += os.write(pipe, block)
    client.position(f"{directory}/one.log")
    megabytes = written / 1e6
    print(f"mb_per_s={megabytes / (time.monotonic() - start):.0f} cpu_ms_per_mb={(cpu() - before) / megabytes:.4f}")
    os.close(pipe)


def many_writers():
    """Each counts what was taken from it until the moment that ends all; none begins before all have started."""
    program = ("import os,sys,time\nb=b'x'*63+b'\\n'\nb*=64\nn=0\nos.write(2,b' ')\ne=float(sys.stdin.readline())\n"
               "while time.monotonic()<e: n+=os.write(1,b)\nos.write(2,b'%d'%n)")
    writers = []
    for index in range(100):
        pipe = client.open(f"{directory}/many-{index}.log")
        writers.append(subprocess.Popen([sys.executable, "-S", "-c", program], stdout=pipe, stdin=subprocess.PIPE,
                                        stderr=subprocess.PIPE))
        os.close(pipe)
    for writer in writers:
        writer.stderr.read(1)
    end = b"%f\n" % (time.monotonic() + 3 * seconds)
    for writer in writers:
        writer.stdin.write(end)
        writer.stdin.close()
    taken = [int(writer.stderr.read()) for writer in writers]
    for writer in writers:
        writer.wait()
    print(f"spread={max(taken) / max(1, min(taken)):.2f}")


def open_logs():
    pipes = [client.open(f"{directory}/open-{index}.log") for index in range(200)]
    for index, pipe in enumerate(pipes):
        os.write(pipe, LINE)
        client.position(f"{directory}/open-{index}.log")
    print(f"rss_mb={resident():.1f}")
    for pipe in pipes:
        os.close(pipe)


one_writer()
many_writers()
open_logs()
