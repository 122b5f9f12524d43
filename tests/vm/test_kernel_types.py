"""Helpers that know the kernel's types: data as text by its type, types by name, digests and sockets of files."""

from __future__ import annotations

import os
import random
from errno import EFAULT, EINVAL, EOPNOTSUPP

import pytest

from pybpf import VM, ProgramSpec, Struct, asm, load, u8, u32, u64
from pybpf.btf import Btf, BtfBuilder, Kind
from pybpf.errors import BpfError
from pybpf.spec import MapSpec
from pybpf.uapi import AttachType, MapType, ProgType

ENGINES = ("interpreter", "translator")
with_kernel_types = pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the kernel has no BTF")
SIZE, LONGEST = 1024, 1 << 16


def signed(value: int) -> int:
    return value - (value >> 63 << 64)


def printing(room: int, flags: int) -> ProgramSpec:
    """Prints what is in `data`, as the type whose id is in `args`, into `out`; the answer goes to `answer`."""
    text = f"""
        r6 = map_val(args) + 0
        r7 = map_val(data) + 0
        *(u64 *)(r6 + 0) = r7
        r1 = map_val(out) + 0
        r2 = {room}
        r3 = r6
        r4 = 16
        r5 = {flags} ll
        call bpf_snprintf_btf
        r1 = map_val(answer) + 0
        *(u64 *)(r1 + 0) = r0
        r0 = 0
        exit
    """
    sizes = {"args": 16, "data": SIZE, "out": LONGEST, "answer": 8}
    maps = {name: MapSpec(MapType.ARRAY, 4, size, 1, name=name) for name, size in sizes.items()}
    return ProgramSpec(asm.assemble(text), ProgType.SCHED_CLS, license="GPL", maps=maps)


def printed(machine, run, type_id: int, data: bytes) -> tuple[int, bytes]:
    first = bytes(4)
    machine["args"][first] = bytes(8) + type_id.to_bytes(4, "little") + bytes(4)
    machine["data"][first] = data.ljust(SIZE, b"\0")
    machine["out"][first] = bytes(LONGEST)
    run(data=bytes(64))
    return signed(int.from_bytes(machine["answer"][first], "little")), bytes(machine["out"][first]).rstrip(b"\0")


def some_type(rng: random.Random, btf: Btf) -> int:
    while True:
        id_ = rng.randrange(1, len(btf))
        found = btf.type(id_)
        try:
            if found.size <= SIZE and found.kind not in (Kind.VAR, Kind.DATASEC, Kind.FUNC, Kind.FUNC_PROTO):
                return id_
        except BpfError:
            continue


@pytest.mark.kernel
@with_kernel_types
@pytest.mark.parametrize("flags", [4, 5, 6, 7, 12, 13, 15])  # pointers as they are: the kernel's hashes are its secret
def test_printed_as_by_the_kernel(flags, scale):
    btf, rng = Btf.kernel(), random.Random(flags)
    spec = printing(rng.choice((LONGEST, 100)), flags)
    machines = {engine: VM(spec, engine=engine) for engine in ENGINES}
    with load(spec) as prog:
        for n in range(40 * scale):
            type_id = some_type(rng, btf)
            data = bytearray(SIZE)
            for _ in range(rng.choice((0, 1, 2, 4, 20))):
                data[rng.randrange(max(btf.type(type_id).size, 1))] = rng.choice((1, 32, 65, 97, 200, 255))
            expected = printed(prog, prog.test_run, type_id, bytes(data))
            for machine in machines.values():
                assert printed(machine, machine.run, type_id, bytes(data)) == expected, (n, type_id)


@pytest.mark.kernel
@with_kernel_types
@pytest.mark.parametrize("type_id", [0, 1, 1 << 30, 0xFFFFFFFF])
@pytest.mark.parametrize("flags", [4, 16, 1 << 32])
def test_what_cannot_be_printed(type_id, flags):
    spec = printing(100, flags)
    with load(spec) as prog:
        expected = printed(prog, prog.test_run, type_id, b"\1")
    vm = VM(spec)
    assert printed(vm, vm.run, type_id, b"\1") == expected


class Pair(Struct):
    left: u32
    right: u64


def test_types_that_the_test_gives():
    builder = BtfBuilder()
    pair = builder.add_type(Pair)
    btf = Btf.parse(builder.to_bytes())
    vm = VM(printing(LONGEST, 0), btf=btf)
    raw = bytes(Pair(left=3, right=1 << 40))
    answer, text = printed(vm, vm.run, pair, raw)
    assert text.decode() == (
        "(struct Pair){\n .left = (unsigned int)3,\n .right = (unsigned long long)1099511627776,\n}\n"
    )
    assert answer == len(text)


def test_addresses_that_nothing_lies_at():
    text = """
        *(u64 *)(r10 - 16) = 0
        *(u64 *)(r10 - 8) = 1
        r1 = r10
        r1 += -64
        r2 = 32
        r3 = r10
        r3 += -16
        r4 = 16
        r5 = 0
        call bpf_snprintf_btf
        exit
    """
    builder = BtfBuilder()
    builder.add_type(u8)
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.SCHED_CLS), btf=Btf.parse(builder.to_bytes()))
    assert signed(vm.run(data=bytes(64)).r0) == -EFAULT


def finding(name: bytes, size: int, kind: int, flags: int) -> ProgramSpec:
    raw = name.ljust(32, b"\0")
    lines = [
        f"r1 = {int.from_bytes(raw[i : i + 8], 'little')} ll\n*(u64 *)(r10 - {32 - i}) = r1" for i in range(0, 32, 8)
    ]
    call = f"r1 = r10\nr1 += -32\nr2 = {size}\nr3 = {kind}\nr4 = {flags}\ncall bpf_btf_find_by_name_kind\nexit"
    return ProgramSpec(asm.assemble("\n".join([*lines, call])), ProgType.SYSCALL, license="GPL", flags=16)


@pytest.mark.kernel
@with_kernel_types
@pytest.mark.parametrize(
    ("name", "size", "kind", "flags"),
    [
        (b"task_struct", 12, Kind.STRUCT, 0),
        (b"task_struct", 12, Kind.FUNC, 0),
        (b"vfs_read", 9, Kind.FUNC, 0),
        (b"int", 4, Kind.INT, 0),
        (b"int", 32, Kind.INT, 0),
        (b"int", 3, Kind.INT, 0),
        (b"int", 4, 77, 0),
        (b"int", 4, Kind.INT, 1),
        (b"", 1, Kind.INT, 0),
        (b"no_such_type", 13, Kind.STRUCT, 0),
    ],
)
def test_types_by_name(name, size, kind, flags):
    spec = finding(name, size, kind, flags)
    with load(spec) as prog:
        expected = prog.test_run(ctx=b"").retval
    for engine in ENGINES:
        assert VM(spec, engine=engine).run(ctx=b"").retval == expected


def test_no_types_at_all(monkeypatch):
    monkeypatch.setattr(Btf, "kernel", classmethod(lambda cls: (_ for _ in ()).throw(OSError())))
    assert VM(finding(b"int", 4, Kind.INT, 0)).run(ctx=b"").retval == -EINVAL & 0xFFFFFFFF


LSM = {"attach_to": "file_open", "expected_attach_type": AttachType.LSM_MAC, "flags": 16}


@pytest.mark.parametrize("helper", ["ima_file_hash", "ima_inode_hash"])
@pytest.mark.parametrize(
    ("digest", "answer"), [(bytes(range(16)), 1), (bytes(range(20)), 2), (bytes(range(32)), 4), (bytes(range(64)), 6)]
)
def test_digests(helper, digest, answer):
    out = MapSpec(MapType.ARRAY, 4, 32, 1, name="out")
    text = f"r1 = *(u64 *)(r1 + 0)\nr2 = map_val(out) + 0\nr3 = 32\ncall bpf_{helper}\nexit"
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.LSM, license="GPL", maps={"out": out}, **LSM))
    file = vm.kernel_memory(bytes(8), "struct file")
    assert signed(vm.run(ctx=[file]).r0) == -EOPNOTSUPP
    vm.env.ima_hashes[file] = digest
    assert vm.run(ctx=[file]).r0 == answer
    assert vm["out"][bytes(4)] == digest[:32].ljust(32, b"\0")


def test_socket_of_a_file():
    text = "r1 = *(u64 *)(r1 + 0)\ncall bpf_sock_from_file\nif r0 == 0 goto none\nr0 = *(u16 *)(r0 + 4)\nnone:\nexit"
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.LSM, license="GPL", **LSM))
    file, other = vm.kernel_memory(bytes(8), "struct file"), vm.kernel_memory(bytes(8), "struct file")
    vm.env.file_sockets[file] = vm.kernel_memory(b"\0\0\0\0\1\0\0\0", "struct socket")
    assert (vm.run(ctx=[file]).r0, vm.run(ctx=[other]).r0) == (1, 0)
