"""What the tests of hooks share: counting programs, a pair of interfaces, a cgroup, a process that is killed."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import socket
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
        # Few processes: starting one takes a tenth of a second where the machine is emulated.
        batch(
            f"netns add {self.netns}",
            f"link add {self.name} type veth peer name peer netns {self.netns}",
            f"addr add {self.here}/24 dev {self.name}",
            f"link set {self.name} up",
        )
        batch(f"addr add {self.there}/24 dev peer", "link set peer up", "link set lo up", netns=self.netns)

    def ping(self, count=1):
        """Send datagrams from the peer to this side."""
        self.send(b"hello", count=count)

    def send(self, data, to=None, *, count=1):
        """Send datagrams of some bytes from the peer, to this side or another address."""
        child = os.fork()
        if not child:
            status = 1
            try:
                with open(f"/run/netns/{self.netns}") as netns:
                    assert ctypes.CDLL(None).setns(netns.fileno(), 0x40000000) == 0  # CLONE_NEWNET
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                    for _ in range(count):
                        peer.sendto(data, (to or self.here, 9))
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0

    def remove(self):
        lines = f"link del {self.name}\nnetns del {self.netns}\n"
        subprocess.run(["ip", "-force", "-batch", "-"], input=lines, text=True, capture_output=True)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def batch(*lines, netns=""):
    """Lines of `ip`, run by one process."""
    words = ["ip", *(["-n", netns] if netns else []), "-batch", "-"]
    done = subprocess.run(words, input="\n".join(lines) + "\n", capture_output=True, text=True)
    assert done.returncode == 0, f"{lines}: {done.stderr}"


@pytest.fixture
def pair():
    if shutil.which("ip") is None:
        pytest.skip("there is no ip (iproute2) to make network namespaces with")
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
