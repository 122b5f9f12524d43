"""What the tests of the examples share: the example by its name, trace events, a cgroup, interfaces of their own."""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what the modules here share
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_numbers = itertools.count()


@pytest.fixture
def example(request):
    """`example("hello")`: the module of that file."""

    def load_module(name: str):
        spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        request.addfinalizer(lambda: sys.modules.pop(spec.name, None))
        spec.loader.exec_module(module)
        return module

    return load_module


@pytest.fixture
def tracefs():
    """Trace events, mounted for the test where they are not."""
    root = "/sys/kernel/tracing"
    if os.path.exists(f"{root}/events"):
        yield root
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"nodev", root.encode(), b"tracefs", 0, None):
        pytest.skip(f"tracefs cannot be mounted: {os.strerror(ctypes.get_errno())}")
    yield root
    libc.umount2(root.encode(), 2)


@pytest.fixture
def cgroup(tmp_path):
    """A cgroup that this test made, with a way to run commands in it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    root = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), None)
    made = None
    libc = ctypes.CDLL(None, use_errno=True)
    if root is None:
        made = root = str(tmp_path / "cgroup")
        os.mkdir(root)
        if libc.mount(b"none", root.encode(), b"cgroup2", 0, None):
            pytest.skip("cgroup2 cannot be mounted")
    path = os.path.join(root, f"pybpf-example-{os.getpid()}")
    os.mkdir(path)
    yield path
    os.rmdir(path)
    if made:
        libc.umount2(made.encode(), 2)


@pytest.fixture
def run_in(cgroup):
    """`run_in(code)`: what Python code prints, run by a process of the cgroup."""

    def run(code: str) -> str:
        join = f"open({cgroup + '/cgroup.procs'!r}, 'w').write('0')\n"
        done = subprocess.run([sys.executable, "-c", join + code], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Pair:
    """An interface here, 10.197.<n>.1, and its peer 10.197.<n>.2 in a network namespace of its own."""

    def __init__(self) -> None:
        self.number = next(_numbers) % 250
        unique = f"{os.getpid()}x{self.number}"
        self.name, self.netns = f"ex{unique}"[:15], f"example{unique}"
        self.here, self.there = f"10.197.{self.number}.1", f"10.197.{self.number}.2"
        try:
            ip("netns", "add", self.netns)
            ip("link", "add", self.name, "type", "veth", "peer", "name", "peer", "netns", self.netns)
            ip("addr", "add", f"{self.here}/24", "dev", self.name)
            ip("link", "set", self.name, "up")
            ip("-n", self.netns, "addr", "add", f"{self.there}/24", "dev", "peer")
            for name in ("peer", "lo"):
                ip("-n", self.netns, "link", "set", name, "up")
        except BaseException:
            self.remove()
            raise

    def run(self, code: str, *args: str) -> str:
        """What Python code prints that runs on the peer's side."""
        words = ["ip", "netns", "exec", self.netns, sys.executable, "-c", code, *args]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def send(self, count: int = 1, payload: int = 5) -> None:
        """Send datagrams from the peer to port 9 here, without the checksum that a device would fill in after XDP."""
        self.run(
            "import socket, sys\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.setsockopt(socket.SOL_SOCKET, 11, 1)\n"  # SO_NO_CHECK
            "for _ in range(int(sys.argv[2])): s.sendto(bytes(int(sys.argv[3])), (sys.argv[1], 9))",
            self.here,
            str(count),
            str(payload),
        )

    def remove(self) -> None:
        subprocess.run(["ip", "link", "del", self.name], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.netns], capture_output=True)


@pytest.fixture
def pairs():
    """`pairs()`: a new pair of interfaces."""
    if subprocess.run(["ip", "netns", "list"], capture_output=True).returncode:
        pytest.skip("iproute2 cannot make network namespaces here")
    made: list[Pair] = []

    def make() -> Pair:
        made.append(Pair())
        return made[-1]

    yield make
    for pair in made:
        pair.remove()


@pytest.fixture
def pair(pairs):
    """A pair of interfaces."""
    return pairs()
