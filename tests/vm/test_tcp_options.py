"""TCP options as programs of type SOCK_OPS read, reserve and write them."""

from __future__ import annotations

from errno import EEXIST, EFAULT, EINVAL, ENOENT, ENOMSG, ENOSPC, EPERM

import pytest

from pybpf import VM, ProgramSpec, asm
from pybpf.uapi import ProgType

ENGINES = ("interpreter", "translator")
LENGTH, WRITE, PARSE = 14, 15, 13  # BPF_SOCK_OPS_*_HDR_OPT_CB
HEADER = bytes(20)
MSS, WINDOW, NOP, END = b"\x02\x04\x05\xb4", b"\x03\x03\x07", b"\x01", b"\0"
MINE, OTHER = b"\xfe\x06\xeb\x9f\x01\x02", b"\xfe\x04\x12\x34"
LIST = MSS + NOP + WINDOW + OTHER + MINE


def run(engine: str, helper: str, given: bytes, size: int, flags: int, op: int, options: bytes, **world):
    """What the helper answered, the options behind it, and the room that is left."""
    first, second = (int.from_bytes(given.ljust(16, b"\0")[i : i + 8], "little") for i in (0, 8))
    second_argument = f"r2 = {size}" if helper == "reserve_hdr_opt" else "r2 = r10\nr2 += -16"
    others = f"r3 = {flags}" if helper == "reserve_hdr_opt" else f"r3 = {size}\nr4 = {flags}"
    text = f"""
        r6 = r1
        r1 = {first} ll
        *(u64 *)(r10 - 16) = r1
        r1 = {second} ll
        *(u64 *)(r10 - 8) = r1
        r1 = r6
        {second_argument}
        {others}
        call bpf_{helper}
        exit
    """
    spec = ProgramSpec(asm.assemble(text), ProgType.SOCK_OPS)
    vm = VM(spec, engine=engine, **world)
    result = vm.run(data=HEADER + options, ctx={"op": op})
    answer = result.r0 - (result.r0 >> 63 << 64)
    return answer, result.data[20:], vm.env.tcp_option_room


LOADS = (
    (b"\x02\0", 16, 0, LIST, 4),
    (b"\x03\0", 16, 0, LIST, 3),
    (b"\x05\0", 16, 0, LIST, -ENOMSG),
    (b"\x02\x04", 16, 0, LIST, -EINVAL),
    (b"\xfe\x04\xeb\x9f", 16, 0, LIST, 6),
    (b"\xfe\x04\x12\x34", 16, 0, LIST, 4),
    (b"\xfe\x06\x12\x34\0\0", 16, 0, LIST, -ENOMSG),
    (b"\xfe\x03", 16, 0, LIST, -EINVAL),
    (b"\xfe\x04\xeb\x9f", 4, 0, LIST, -ENOSPC),
    (b"\x03\0", 16, 0, MSS + END + WINDOW, -ENOMSG),
    (b"\x03\0", 16, 0, b"\x02\x01" + WINDOW, -EFAULT),
    (b"\x03\0", 16, 0, b"\x02\x09" + WINDOW, -EFAULT),
    (b"\x02\0", 16, 2, LIST, -EINVAL),
    (b"\x02\0", 16, 1, LIST, -ENOENT),
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", range(len(LOADS)))
def test_load(engine, case):
    given, size, flags, options, expected = LOADS[case]
    assert run(engine, "load_hdr_opt", given, size, flags, PARSE, options)[0] == expected


def test_load_of_the_syn_and_without_a_segment():
    assert run("interpreter", "load_hdr_opt", b"\x02\0", 16, 1, PARSE, b"", saved_syn=HEADER + LIST)[0] == 4
    assert run("interpreter", "load_hdr_opt", b"\x02\0", 16, 0, LENGTH, LIST)[0] == -EPERM


STORES = (
    (MINE, 6, 0, WRITE, MSS, 40, (0, MSS + MINE, 34)),
    (MINE, 6, 0, PARSE, MSS, 40, (-EPERM, MSS, 40)),
    (MINE, 6, 1, WRITE, MSS, 40, (-EINVAL, MSS, 40)),
    (MINE, 5, 0, WRITE, MSS, 40, (-EINVAL, MSS, 40)),
    (NOP * 2, 2, 0, WRITE, MSS, 40, (-EINVAL, MSS, 40)),
    (MINE, 6, 0, WRITE, MSS, 5, (-ENOSPC, MSS, 5)),
    (MINE, 6, 0, WRITE, LIST, 40, (-EEXIST, LIST, 40)),
    (MINE, 6, 0, WRITE, MSS + OTHER, 40, (0, MSS + OTHER + MINE, 34)),
    (MINE, 6, 0, WRITE, MSS + END * 4, 40, (-ENOSPC, MSS + END * 4, 40)),
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", range(len(STORES)))
def test_store(engine, case):
    given, size, flags, op, options, room, expected = STORES[case]
    answer, after, left = run(engine, "store_hdr_opt", given, size, flags, op, options, tcp_option_room=room)
    assert (answer, after, left) == expected


@pytest.mark.parametrize(
    ("size", "flags", "op", "expected"),
    [(6, 0, LENGTH, (0, 34)), (6, 0, WRITE, (-EPERM, 40)), (1, 0, LENGTH, (-EINVAL, 40)), (6, 1, LENGTH, (-EINVAL, 40)),
     (41, 0, LENGTH, (-ENOSPC, 40))],
)  # fmt: skip
def test_reserve(size, flags, op, expected):
    answer, _, left = run("interpreter", "reserve_hdr_opt", b"", size, flags, op, b"")
    assert (answer, left) == expected
