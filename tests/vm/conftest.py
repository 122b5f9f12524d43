"""What the tests of the machine share: the program generator and a frame of each kind."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import types
from pathlib import Path

import pytest

from pybpf import ProgramSpec, asm
from pybpf.uapi import ProgType

BPF_F_SLEEPABLE = 1 << 4


def _neighbour(name: str):
    full = f"pybpf_vm_tests_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


@pytest.fixture(scope="session")
def generate():
    return _neighbour("generate")


@pytest.fixture(scope="session")
def wider(generate):
    return _neighbour("generate_wide")


@pytest.fixture(scope="session")
def garbage():
    return _neighbour("garbage")


def _program(text: str, prog_type: ProgType = ProgType.SYSCALL, **maps) -> ProgramSpec:
    """Assembly in which a line `@NAME` calls a kfunc."""
    code, part = [], []
    for line in [*map(str.strip, text.splitlines()), "@"]:
        if line.startswith("@"):
            code += asm.assemble("\n".join(part))
            part = []
            if line != "@":
                code.append(asm.Insn(0x85, 0, 2, symbol=line[1:]))
        else:
            part.append(line)
    flags = BPF_F_SLEEPABLE if prog_type == ProgType.SYSCALL else 0
    return ProgramSpec(code, prog_type, license="GPL", flags=flags, maps=maps)


@pytest.fixture(scope="session")
def program():
    return _program


def _frame(protocol: int, body: bytes, destination: bytes = bytes(6)) -> bytes:
    return destination + bytes([2, 0, 0, 0, 0, 9]) + protocol.to_bytes(2, "big") + body


IPV4 = bytes([0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0x12, 0x34, 10, 0, 0, 1, 10, 0, 0, 2])
FRAMES = {
    "ipv4": _frame(0x0800, IPV4 + bytes(range(40))),
    "ipv6": _frame(0x86DD, bytes([0x60, 0, 0, 0, 0, 40, 17, 64]) + bytes(range(32)) + bytes(40)),
    "arp to all": _frame(0x0806, bytes(46), b"\xff" * 6),
    "802.3": _frame(0x0030, b"\xff\xff" + bytes(46), b"\x01" + bytes(5)),
    "vlan": _frame(0x8100, b"\0\5\x08\0" + IPV4 + bytes(30)),
    "too short for IPv4": _frame(0x0800, bytes(6)),
    "only Ethernet": _frame(0x88B5, b""),
}


@pytest.fixture(params=FRAMES, ids=list(FRAMES))
def frame(request):
    return FRAMES[request.param]


SCALE = int(os.environ.get("PYBPF_VM_SCALE", "1"))


@pytest.fixture(scope="session")
def scale() -> int:
    """How many times the usual number of generated programs to run: PYBPF_VM_SCALE, 1 by default."""
    return SCALE


def pytest_collection_modifyitems(items):
    """Tests of more programs may take as much longer."""
    for item in items:
        if SCALE > 1 and "scale" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(300 * SCALE))


@pytest.fixture
def cgroup(tmp_path):
    """`cgroup.path` of a group that this test made; inside `cgroup.joined()` this process, and what it opens, is in it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    root = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("no cgroup2 is mounted")
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    before = Path(root, next(line for line in lines if line.startswith("0::"))[4:])
    path = Path(root, f"pybpf-vm-{os.getpid()}")
    path.mkdir()

    @contextlib.contextmanager
    def joined():
        (path / "cgroup.procs").write_text("0")
        try:
            yield
        finally:
            (before / "cgroup.procs").write_text("0")

    yield types.SimpleNamespace(path=str(path), joined=joined)
    path.rmdir()
