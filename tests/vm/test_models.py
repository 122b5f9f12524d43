"""What helpers model beyond maps and packets: storages, stacks, dynptrs, kernel objects, and captures of both formats."""

from __future__ import annotations

import os
import struct
from errno import E2BIG, EFAULT, EINVAL, ENOENT

import pytest

from pybpf import (
    VM,
    Array,
    MapSpec,
    ProgramSpec,
    RingBuf,
    SpecError,
    StackTrace,
    StructOps,
    VmFault,
    asm,
    struct_ops,
    u32,
    u64,
)
from pybpf.uapi import AttachType, MapType, ProgType
from pybpf.vm import PseudoSocket
from pybpf.vm.capture import packets, run_capture

FRAME = bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]) + bytes(50)
U64 = (1 << 64) - 1
ENGINES = pytest.mark.parametrize("engine", ["interpreter", "translator"])


def program(text: str, prog_type: int, **options) -> ProgramSpec:
    return ProgramSpec(asm.assemble(text), prog_type, name="p", **options)


# -- storages

STORAGE = """
    r6 = r1
    *(u64 *)(r10 - 8) = 40
    {owner}
    if r2 == 0 goto none
    r7 = r2
    r1 = map[id:m]
    r3 = r10
    r3 += -8
    r4 = {flags}
    call bpf_{kind}_storage_get
    if r0 == 0 goto none
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r0 = r1
    exit
    none: r0 = 0
    exit
"""
TASK = "call bpf_get_current_task_btf\nr2 = r0"
FIRST = "r2 = *(u64 *)(r1 + 0)"
KINDS = {
    "sk": (MapType.SK_STORAGE, ProgType.SOCK_OPS, "r2 = *(u64 *)(r1 + 184)"),
    "inode": (MapType.INODE_STORAGE, ProgType.LSM, FIRST),
    "task": (MapType.TASK_STORAGE, ProgType.TRACING, TASK),
    "cgrp": (MapType.CGRP_STORAGE, ProgType.TRACING, FIRST),
}


@ENGINES
@pytest.mark.parametrize("kind", KINDS)
def test_storages(kind, engine):
    map_type, prog_type, owner = KINDS[kind]
    maps = {"m": MapSpec(map_type, 4, 8, 0, 1, name="m")}
    find = program(STORAGE.format(kind=kind, owner=owner, flags=0), prog_type, maps=maps)
    make = program(STORAGE.format(kind=kind, owner=owner, flags=1), prog_type, maps=maps)
    drop = program(
        f"{owner}\nr1 = map[id:m]\ncall bpf_{kind}_storage_delete\nexit",
        prog_type,
        maps=maps,
    )
    vm = VM(find, make, drop, engine=engine)
    one, other = (
        {"sk": PseudoSocket(cookie=n)} if kind == "sk" else [vm.mem.add(bytes(64), f"object {n}")] for n in (1, 2)
    )
    assert vm.run(find, ctx=one).retval == 0
    assert [vm.run(make, ctx=one).retval for _ in range(3)] == [41, 42, 43]
    assert vm.run(find, ctx=one).retval == 44
    if kind != "task":  # there is one current task
        assert vm.run(make, ctx=other).retval == 41
        assert len(vm["m"]) == 2
    assert vm.run(drop, ctx=one).r0 == 0
    assert vm.run(drop, ctx=one).r0 == U64 - ENOENT + 1
    assert vm.run(find, ctx=one).retval == 0


# -- stacks


@ENGINES
def test_stack_ids(engine):
    stacks = StackTrace(max_entries=16, depth=4, name="m")
    text = "r2 = map[id:m]\nr3 = {}\ncall bpf_get_stackid\nexit"
    kernel, skipping, user, wrong = (
        program(text.format(flags), ProgType.KPROBE, maps={"m": stacks}) for flags in (0, 1, 256, 1 << 20)
    )
    vm = VM(kernel, skipping, user, wrong, engine=engine)
    assert vm.run(kernel).r0 == U64 - EFAULT + 1  # no stack was given
    assert vm.run(wrong).r0 == U64 - EINVAL + 1
    vm.env.stack, vm.env.user_stack = (0xFFFFFFFF81000010, 0xFFFFFFFF81000020), (0x401000,)
    first = vm.run(kernel).retval
    assert vm.run(kernel).retval == first
    other, of_user = vm.run(skipping).retval, vm.run(user).retval
    assert list(vm[stacks][first]) == [0xFFFFFFFF81000010, 0xFFFFFFFF81000020, 0, 0]
    assert list(vm[stacks][other]) == [0xFFFFFFFF81000020, 0, 0, 0]
    assert list(vm[stacks][of_user]) == [0x401000, 0, 0, 0]
    assert len({first, other, of_user}) == 3


@ENGINES
def test_get_stack(engine):
    text = (
        "r2 = r10\nr2 += -32\nr3 = 32\nr4 = 0\ncall bpf_get_stack\nr6 = *(u64 *)(r10 - 24)\nr0 <<= 32\nr0 |= r6\nexit"
    )
    vm = VM(program(text, ProgType.KPROBE), engine=engine, stack=(5, 7))
    assert vm.run().r0 == 16 << 32 | 7


# -- dynptrs

AT = "r{reg} = r10\nr{reg} += {at}\n"


def at(reg: int, place: int) -> str:
    return AT.format(reg=reg, at=place)


@ENGINES
def test_dynptr_of_a_record(engine):
    """Reserve 16 bytes, write 8 at 4, read them back, look at them, submit; past the end is E2BIG."""
    ring = RingBuf(size=4096, name="ring")
    text = (
        "r1 = map[id:ring]\nr2 = 16\nr3 = 0\n" + at(4, -16) + "call bpf_ringbuf_reserve_dynptr\nr9 = r0\n"
        "r1 = 0x1122334455667788 ll\n*(u64 *)(r10 - 24) = r1\n"
        + at(1, -16) + "r2 = 4\n" + at(3, -24) + "r4 = 8\nr5 = 0\ncall bpf_dynptr_write\nr9 |= r0\n"
        + at(1, -32) + "r2 = 8\n" + at(3, -16) + "r4 = 4\nr5 = 0\ncall bpf_dynptr_read\nr9 |= r0\n"
        + at(1, -16) + "r2 = 0\nr3 = 16\ncall bpf_dynptr_data\nif r0 == 0 goto +2\nr1 = 9\n*(u8 *)(r0 + 0) = r1\n"
        + at(1, -32) + "r2 = 8\n" + at(3, -16) + "r4 = 9\nr5 = 0\ncall bpf_dynptr_read\nr8 = r0\n"
        + at(1, -16) + "r2 = 0\ncall bpf_ringbuf_submit_dynptr\n"
        "r0 = r8\nif r9 == 0 goto +1\nr0 = 1\nexit"
    )  # fmt: skip
    vm = VM(program(text, ProgType.SOCKET_FILTER, maps={"ring": ring}), engine=engine)
    assert vm.run(data=FRAME).r0 == U64 - E2BIG + 1
    [record] = vm[ring].drain()
    assert bytes(record) == b"\x09\0\0\0" + bytes.fromhex("8877665544332211") + bytes(4)


@ENGINES
def test_dynptr_of_a_packet(engine):
    """The slice at 14 of a packet is what the packet holds there; beyond its end there is none."""
    text = (
        "r2 = 0\n" + at(3, -16) + "call bpf_dynptr_from_xdp\n"
        + at(1, -16) + "call bpf_dynptr_size\nr6 = r0\n"
        + at(1, -16) + f"r2 = {len(FRAME) - 2}\n" + at(3, -24) + "r4 = 4\ncall bpf_dynptr_slice\nr7 = r0\n"
        + at(1, -16) + "r2 = 14\n" + at(3, -24) + "r4 = 4\ncall bpf_dynptr_slice\n"
        "if r0 == 0 goto +1\nr0 = *(u8 *)(r0 + 0)\nr6 <<= 8\nr0 |= r6\nif r7 == 0 goto +1\nr0 = 0\nexit"
    )  # fmt: skip
    assert VM(program(text, ProgType.XDP), engine=engine).run(data=FRAME).retval == len(FRAME) << 8 | 0x45


# -- kernel objects

WALK = "r1 = *(u64 *)(r1 + 0)\nr2 = *(u64 *)(r1 + 8)\nr0 = *(u32 *)(r2 + 16)\nexit"
FENTRY = {"expected_attach_type": AttachType.TRACE_FENTRY, "attach_to": "vfs_read"}


@ENGINES
def test_bad_pointers_of_kernel_objects_read_as_zero(engine):
    """As the exception table of the kernel's JIT has it; a number that is no pointer there still faults elsewhere."""
    vm = VM(program(WALK, ProgType.TRACING, **FENTRY), engine=engine)
    inner = vm.kernel_memory(bytes(16) + b"\x2a\0\0\0")
    for pointer, value in ((inner, 42), (0, 0), (0xDEAD << 32, 0), (0xFFFF888000000000, 0)):
        outer = vm.kernel_memory(bytes(8) + pointer.to_bytes(8, "little"))
        assert vm.run(ctx=[outer]).retval == value
    beyond = vm.kernel_memory(bytes(8) + (inner + 8).to_bytes(8, "little"))
    with pytest.raises(VmFault, match="out of bounds"):
        vm.run(ctx=[beyond])
    unchecked = (
        "*(u32 *)(r10 - 4) = 9\nr2 = r10\nr2 += -4\nr1 = map[id:m]\ncall bpf_map_lookup_elem\nr6 = r0\nr6 += 8\n"
        "r0 = *(u32 *)(r6 + 0)\nexit"
    )
    maps = {"m": MapSpec(MapType.HASH, 4, 16, 4, name="m")}
    with pytest.raises(VmFault, match="NULL"):  # no object of the kernel's, and not checked
        VM(program(unchecked, ProgType.TRACING, maps=maps, **FENTRY), engine=engine).run(ctx=[0])
    with pytest.raises(VmFault, match="NULL"):
        VM(program("r1 = 0\nr0 = *(u32 *)(r1 + 16)\nexit", ProgType.XDP), engine=engine).run(data=FRAME)


@pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the kernel has no BTF")
def test_arguments_by_name():
    entry = VM(program("r0 = *(u64 *)(r1 + 16)\nexit", ProgType.TRACING, **FENTRY))
    assert entry.run(ctx={"count": 4096}).retval == 4096
    assert entry.run(ctx={"args": [0, 0, 7]}).retval == 7
    with pytest.raises(SpecError, match=r"has no argument .size.; it has file, buf, count, pos"):
        entry.run(ctx={"size": 1})
    leaving = {"expected_attach_type": AttachType.TRACE_FEXIT, "attach_to": "vfs_read"}
    assert (
        VM(program("r0 = *(u64 *)(r1 + 32)\nexit", ProgType.TRACING, **leaving)).run(ctx={"retval": -5}).r0 == U64 - 4
    )
    hook = program("r0 = *(u64 *)(r1 + 8)\nexit", ProgType.LSM, attach_to="file_permission")
    assert VM(hook).run(ctx={"mask": 4}).retval == 4


@pytest.mark.parametrize("target", [None, "no_such_function_of_the_kernel"])
def test_names_of_arguments_that_are_not_known(target):
    spec = program("r0 = 0\nexit", ProgType.TRACING, expected_attach_type=AttachType.TRACE_FENTRY, attach_to=target)
    with pytest.raises(SpecError, match="give the arguments in order, as a list"):
        VM(spec).run(ctx={"count": 1})


@ENGINES
def test_arguments_by_helpers(engine):
    """How many there are is how many were given; a program behind the function finds the result after them."""
    text = """
        r6 = r1
        call bpf_get_func_arg_cnt
        r7 = r0
        r1 = r6
        r2 = {n}
        r3 = r10
        r3 += -8
        *(u64 *)(r10 - 8) = 0
        call bpf_get_func_{what}
        r7 <<= 8
        r0 = *(u64 *)(r10 - 8)
        r0 |= r7
        exit
    """
    leaving = {"expected_attach_type": AttachType.TRACE_FEXIT}
    fetch = VM(program(text.format(n=1, what="arg"), ProgType.TRACING, **FENTRY), engine=engine)
    assert fetch.run(ctx=[3, 4, 5]).retval == 3 << 8 | 4
    assert fetch.run(ctx=[3]).retval == 1 << 8  # there is no second one
    result = text.format(n=0, what="ret").replace("r2 = 0\n        r3 = r10\n        r3 += -8", "r2 = r10\nr2 += -8")
    assert VM(program(result, ProgType.TRACING, **leaving), engine=engine).run(ctx=[3, 4, 9]).retval == 2 << 8 | 9


@ENGINES
def test_a_list_is_the_arguments_of_a_probe(engine):
    vm = VM(program("r0 = *(u64 *)(r1 + 104)\nexit", ProgType.KPROBE), engine=engine)
    assert vm.run(ctx=[3, 4]).retval == vm.run(ctx={"args": (3, 4)}).retval == vm.run(ctx={"si": 4}).retval == 4


# -- captures


def pcapng(frames: list[bytes], link: int = 1) -> bytes:
    """A section header, one interface with microseconds, and enhanced packet blocks a second apart."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = len(body) + 12
        return struct.pack("<II", kind, length) + body + struct.pack("<I", length)

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", link, 0, 65535))
    for i, frame in enumerate(frames):
        out += block(6, struct.pack("<IIIII", 0, 0, i * 1_000_000, len(frame), len(frame)) + frame)
    return out


@pytest.mark.parametrize("progress", [False, True])
def test_pcapng(tmp_path, progress, capsys):
    path = tmp_path / "some.pcapng"
    path.write_bytes(pcapng([FRAME, FRAME[:23] + b"\x06" + FRAME[24:], FRAME]))
    assert [time for time, _ in packets(path)] == [0, 1, 2]
    vm = VM(program("r6 = r1\nr0 = *(u8 *)skb[9]\nexit", ProgType.SOCKET_FILTER))
    report = run_capture(vm, path, progress=progress)
    assert report.verdicts == {17: 2, 6: 1}
    assert vm.env.time_ns == 2_000_000_000
    assert "\x1b" not in capsys.readouterr().out  # where the output is no terminal, the bar leaves nothing behind


def test_pcapng_on_the_command_line(tmp_path, capsys):
    from pybpf.cli import main

    (tmp_path / "c.pcapng").write_bytes(pcapng([FRAME, FRAME]))
    (tmp_path / "f.s").write_text("r6 = r1\nr0 = *(u8 *)skb[9]\nexit\n")
    arguments = [str(tmp_path / "f.s"), "--type", "socket_filter", "--data", str(tmp_path / "c.pcapng")]
    assert main(["run", *arguments]) == 0
    assert "2 packets" in capsys.readouterr().out


def test_pcapng_cut_off(tmp_path):
    path = tmp_path / "cut.pcapng"
    path.write_bytes(pcapng([FRAME])[:-20])
    with pytest.raises(SpecError, match="not a whole"):
        list(packets(path))


@pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the kernel has no BTF")
def test_the_current_task_has_its_number_and_name():
    from pybpf.btf import Btf

    members = Btf.kernel()["task_struct"]
    text = f"call bpf_get_current_task\nr0 = *(u32 *)(r0 + {members['pid'].offset})\nexit"
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.TRACING), pid=42)
    assert vm.run().retval == 42
    vm.env.pid = 43
    assert vm.run().retval == 43
    first = f"call bpf_get_current_task\nr0 = *(u8 *)(r0 + {members['comm'].offset})\nexit"
    assert VM(ProgramSpec(asm.assemble(first), ProgType.TRACING), comm="zsh").run().retval == ord("z")


def test_struct_ops_by_their_parameters():
    acknowledged = Array(u64, max_entries=1, name="acknowledged")

    @struct_ops("tcp_congestion_ops/ssthresh")
    def ssthresh(ctx, sk):
        return 2

    @struct_ops("tcp_congestion_ops/cong_avoid")
    def cong_avoid(ctx, sk, ack, acked):
        acknowledged[0] += u32(acked)
        return 0

    vm = VM(StructOps("tcp_congestion_ops", {"ssthresh": ssthresh, "cong_avoid": cong_avoid, "name": b"x"}, name="m"))
    assert vm.run().retval == 2
    vm.run(cong_avoid, ctx={"acked": 3})
    vm.run("cong_avoid", ctx={"args": [0, 0, 4]})
    vm.run(cong_avoid, ctx=[0, 0, 5])
    assert vm[acknowledged][0] == 12
    with pytest.raises(SpecError, match=r"has no argument .nope.; it has sk, ack, acked"):
        vm.run(cong_avoid, ctx={"nope": 1})
    with pytest.raises(SpecError, match="has no programs among its members"):
        VM(StructOps("tcp_congestion_ops", {"name": b"x"}, name="m"))
