"""Maps, programs, links and BTF found in the kernel; pins, and maps that are used again."""

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
from enum import IntEnum

import pytest

import pybpf
from pybpf import (
    Array,
    ConversionError,
    CpuMap,
    DevMap,
    DevMapHash,
    HashMap,
    HashOfMaps,
    Map,
    PerCpuHashMap,
    PerfEventArray,
    ProgArray,
    Program,
    ProgramSpec,
    Queue,
    SpecError,
    Struct,
    SyscallError,
    asm,
    be16,
    char,
    features,
    load,
    u32,
    u64,
)
from pybpf.maps.create import create
from pybpf.syscall import bpffs

pytestmark = pytest.mark.kernel


class Inner(Struct):
    a: be16
    b: u32[2]


class Exec(Struct):
    pid: u32
    comm: char[16]
    inner: Inner


class Color(IntEnum):
    RED = 1
    BLUE = 2


@pytest.fixture
def mounted(tmp_path):
    """A directory that is a bpffs for the time of the test."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"bpf", os.fsencode(tmp_path), b"bpf", 0, None):
        pytest.skip(f"cannot mount a bpffs here: {os.strerror(ctypes.get_errno())}")
    yield tmp_path
    assert libc.umount2(os.fsencode(tmp_path), 2) == 0


@pytest.fixture(autouse=True)
def nothing_leaks(fd_count):
    before = fd_count()
    yield
    assert fd_count() == before


def test_load_makes_a_map_alone(fd_count):
    before = fd_count()
    with load(HashMap(u32, u64, max_entries=4, contents={1: 2})) as made:
        assert dict(made) == {1: 2}
    jump = ProgramSpec(asm.assemble("w0 = 0\nexit"), 1)
    with load(ProgArray(max_entries=2, contents={1: jump})) as made:
        assert list(made) == [1]
        assert fd_count() == before + 1  # the table keeps the program
    assert fd_count() == before


def test_a_map_by_id_has_its_types():
    with create(HashMap(u32, Exec, max_entries=4, name="execs")) as made:
        made[7] = Exec(7, b"init", Inner(1, (2, 3)))
        with Map.from_id(made.id) as found:
            assert (found.name, found.spec.max_entries, found.id) == ("execs", 4, made.id)
            assert found.spec.key is u32
            value = found[7]
            assert (value.pid, bytes(value.comm).rstrip(b"\0")) == (7, b"init")
            assert list(value.inner.b) == [2, 3]
            assert bytes(value) == bytes(made[7])
            found[8] = value
        assert made[8].pid == 7


@pytest.mark.parametrize("type_", [u64, be16, char[16], u32[3], 6], ids=str)
def test_types_survive_the_kernel(type_):
    with create(HashMap(type_, type_, max_entries=4)) as made, Map.from_id(made.id) as found:
        assert (found.spec.key, found.spec.value) == (type_, type_)


def test_an_enum_becomes_its_numbers():
    with create(HashMap(Color, u32, max_entries=4)) as made, Map.from_id(made.id) as found:
        made[Color.BLUE] = 5
        assert dict(found) == {2: 5}


def test_without_btf_there_are_bytes():
    declared = HashMap(u32, u64, max_entries=4).replace(key=None, value=None)
    with create(declared) as made, Map.from_id(made.id) as found:
        found[bytes(4)] = b"12345678"
        assert made[bytes(4)] == b"12345678"


def test_per_cpu_by_id():
    with create(PerCpuHashMap(u32, u64, max_entries=4)) as made, Map.from_id(made.id) as found:
        made[1] = 3
        assert found[1].sum() == 3 * len(found[1])


def test_bpftool_prints_structs():
    if not shutil.which("bpftool"):
        pytest.skip("bpftool is not installed")
    with create(HashMap(u32, Exec, max_entries=4, name="execs")) as made:
        made[7] = Exec(9, b"init", Inner(1, (2, 3)))
        text = subprocess.run(
            ["bpftool", "-j", "map", "dump", "id", str(made.id)], check=True, capture_output=True, text=True
        ).stdout
    entry = json.loads(text)[0]["formatted"]
    assert entry["key"] == 7
    assert entry["value"]["pid"] == 9
    assert entry["value"]["inner"]["b"] == [2, 3]


def test_nothing_of_that_id():
    for find in (Map.from_id, Program.from_id):
        with pytest.raises(SyscallError) as caught:
            find((1 << 31) - 1)
        assert caught.value.errno == errno.ENOENT


def test_what_the_kernel_holds():
    spec = ProgramSpec(asm.assemble("w0 = 0\nexit"), 1, name="found_prog")
    with load(spec) as prog, create(Array(u64, max_entries=1, name="found_map")) as made:
        assert [p.name for p in pybpf.programs() if p.id == prog.id] == ["found_prog"]
        assert [m.name for m in pybpf.maps() if m.id == made.id] == ["found_map"]
        found = list(pybpf.maps())
        assert made.id in [m.id for m in found]  # all of them open at once
        named = [b for b in pybpf.btfs() if b.name]
        assert not named or any(b.name == "vmlinux" and b.of_kernel for b in named)  # no names before Linux 5.11
        del named
        assert made.info.btf_id in [b.id for b in pybpf.btfs()]
        for link in pybpf.links():
            assert link.id > 0
        del found


def test_a_program_by_id():
    spec = ProgramSpec(asm.assemble("w0 = 5\nexit"), 1, name="by_id")
    with load(spec) as prog, Program.from_id(prog.id) as found:
        assert (found.name, found.prog_type, found.id) == ("by_id", 1, prog.id)
        assert found.test_run(data=bytes(64)).retval == 5


def test_pin_and_unpin(mounted):
    path = str(mounted / "deep" / "numbers")
    with create(HashMap(u32, u64, max_entries=4, name="numbers")) as made:
        made[1] = 2
        made.pin(path)
        with pytest.raises(SyscallError, match="pinned there already") as caught:
            made.pin(path)
        assert caught.value.errno == errno.EEXIST
    with Map.from_pin(path) as found:
        assert dict(found) == {1: 2}
        found.unpin()
        found.unpin()
    assert not os.path.exists(path)
    with pytest.raises(SyscallError, match="ENOENT"):
        Map.from_pin(path)


def test_read_only(mounted):
    path = str(mounted / "numbers")
    with create(HashMap(u32, u64, max_entries=4)) as made:
        made[1] = 2
        made.pin(path)
        with Map.from_pin(path, read_only=True) as found:
            assert found[1] == 2
            with pytest.raises(SyscallError) as caught:
                found[1] = 3
            assert caught.value.errno == errno.EPERM


def test_pins_of_another_kind(mounted):
    path = str(mounted / "prog")
    with load(ProgramSpec(asm.assemble("w0 = 0\nexit"), 1, name="pinned")) as prog:
        prog.pin(path)
        with Program.from_pin(path) as found:
            assert found.name == "pinned"
        with pytest.raises(TypeError, match="holds a prog, not a map"):
            Map.from_pin(path)
        prog.unpin()


def test_where_no_bpffs_is(tmp_path):
    with create(HashMap(u32, u64, max_entries=4)) as made, pytest.raises(SyscallError, match="not in a bpffs"):
        made.pin(str(tmp_path / "numbers"))


def test_a_pinned_map_is_used_again(mounted):
    path = str(mounted / "shared")
    declared = HashMap(u32, u64, max_entries=4, name="shared", pinning=path)
    with create(declared) as first:
        first[1] = 10
    with create(declared) as second:
        assert dict(second) == {1: 10}
    for other, field in (
        (HashMap(u32, u32, max_entries=4, name="shared", pinning=path), "value_size"),
        (HashMap(u32, u64, max_entries=5, name="shared", pinning=path), "max_entries"),
        (Array(u64, max_entries=4, name="shared", pinning=path), "map_type"),
    ):
        with pytest.raises(SpecError, match=f"has {field}="):
            create(other)


@pytest.mark.parametrize(
    "declared",
    [
        DevMap(max_entries=4),  # the kernel adds a flag of its own
        DevMapHash(max_entries=4),
        HashMap(u32, u64, max_entries=4, numa_node=0),
        PerfEventArray(),  # as large as there are CPUs
        HashOfMaps(u32, inner=Array(u64, max_entries=2), max_entries=3),
        Queue(u32, max_entries=2),
        CpuMap(max_entries=2),
    ],
    ids=lambda declared: type(declared).__name__,
)
def test_the_same_declaration_finds_its_pinned_map(declared, mounted):
    if not features.have_map_type(declared.map_type):
        pytest.skip("not on this kernel")
    declared = declared.replace(pinning=str(mounted / "it"))
    with create(declared) as first, create(declared) as second:
        assert first.info.id == second.info.id


def test_a_bpffs_is_mounted_on_demand_and_said():
    """In a mount namespace of its own, where nothing is mounted on /sys/fs/bpf."""
    script = """
import ctypes
libc = ctypes.CDLL(None)
while not libc.umount2(b"/sys/fs/bpf", 0):
    pass
from pybpf import HashMap, Map, u32
from pybpf.maps.create import create
declared = HashMap(u32, u32, max_entries=1, name="by_name", pinning="by-name")
with create(declared) as made:
    made[1] = 2
with Map.from_pin("/sys/fs/bpf/by_name") as found:
    print(dict(found))
"""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "{1: 2}\n", done.stderr
    assert "mounted a bpffs on /sys/fs/bpf" in done.stderr


def test_is_bpffs(mounted):
    assert bpffs.is_bpffs(str(mounted))
    assert not bpffs.is_bpffs("/proc")


def test_the_declared_structure_goes_into_a_found_map():
    """The class that a map's BTF makes is another one with the same layout."""

    class Seen(Struct):
        pid: u32
        comm: char[16]

    class Other(Struct):
        comm: char[16]
        pid: u32

    with load(HashMap(u32, Seen, max_entries=4)) as made, Map.from_id(made.id) as found:
        found[1] = Seen(5, b"five")
        assert (made[1].pid, made[1].comm) == (5, b"five")
        with pytest.raises(ConversionError):
            found[1] = Other(b"five", 5)
