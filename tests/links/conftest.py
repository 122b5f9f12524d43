"""What the tests of hooks share: counting programs, a pair of interfaces, a cgroup, a process that is killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pybpf import Array, load, u64
from pybpf.dsl.kinds import program

_numbers = itertools.count()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def counting():
    """`counting(prog_type, attach_type, returns=0, ...)`: a loaded program that counts how often it ran."""
    opened = []

    def make(prog_type, attach_type=None, *, returns=0, **options):
        # Closed over below: the number becomes a constant of the program.
        hits = Array(u64, max_entries=1)

        @program(prog_type, attach_type, **options)
        def count(ctx):
            hits[0] += 1
            return returns

        prog = load(count)
        opened.append(prog)
        return prog, lambda: prog[hits][0]

    yield make
    for prog in opened:
        prog.close()


class Pair:
    """An interface here and its peer in a network namespace of its own."""

    def __init__(self):
        number = f"{os.getpid()}x{next(_numbers)}"
        self.name, self.netns = f"pb{number}"[:15], f"pybpf{number}"
        # A network for each process: tests run beside each other.
        net = f"10.198.{os.getpid() % 250 + 1}"
        self.here, self.there = f"{net}.1", f"{net}.2"
        run("ip", "netns", "add", self.netns)
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "peer", "netns", self.netns)
        run("ip", "addr", "add", f"{self.here}/24", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        for command in (
            ("addr", "add", f"{self.there}/24", "dev", "peer"),
            ("link", "set", "peer", "up"),
            ("link", "set", "lo", "up"),
        ):
            run("ip", "-n", self.netns, *command)

    def ping(self, count=1):
        """Send datagrams from the peer to this side."""
        self.send(b"hello", count=count)

    def send(self, data, to=None, *, count=1):
        """Send datagrams of some bytes from the peer, to this side or another address."""
        code = textwrap.dedent("""
            import socket, sys
            data, to, count = bytes.fromhex(sys.argv[1]), sys.argv[2], int(sys.argv[3])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a:
                for _ in range(count):
                    a.sendto(data, (to, 9))
        """)
        words = ("-I", "-S", "-c", code, data.hex(), to or self.here, str(count))
        run("ip", "netns", "exec", self.netns, sys.executable, *words)

    def remove(self):
        subprocess.run(["ip", "link", "del", self.name], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.netns], capture_output=True)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


@pytest.fixture
def pair():
    if subprocess.run(["ip", "netns", "list"], capture_output=True).returncode:
        pytest.skip("iproute2 cannot make network namespaces here")
    made = Pair()
    yield made
    made.remove()


@pytest.fixture
def cgroup():
    """A fresh cgroup v2 that holds this process until the end of the test."""
    from pybpf.features.host import mounts

    places = mounts("cgroup2")
    if not places:
        pytest.skip("cgroup v2 is not mounted")
    path = Path(places[0]) / f"pybpf-test-{os.getpid()}-{next(_numbers)}"
    path.mkdir()
    with open("/proc/self/cgroup") as file:
        before = next(line.strip().split("::", 1)[1] for line in file if "::" in line)
    (path / "cgroup.procs").write_text(str(os.getpid()))
    yield path
    (Path(places[0] + before) / "cgroup.procs").write_text(str(os.getpid()))
    path.rmdir()


@pytest.fixture
def killed(tmp_path):
    """`killed(code)`: run Python code in a child, which is attached when this returns; the result kills it with -9."""
    children = []

    def start(code):
        script = tmp_path / "attach.py"
        script.write_text(textwrap.dedent(code) + "\nprint('ready', flush=True)\nimport time\ntime.sleep(60)\n")
        child = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        children.append(child)
        assert child.stdout.readline().strip() == "ready"

        def kill():
            child.send_signal(signal.SIGKILL)
            child.wait()

        return kill

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()
