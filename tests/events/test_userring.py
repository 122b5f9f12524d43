"""The user ring buffer: a program drains what Python pushed."""

import errno
import struct

import pytest

from pybpf import Array, ProgramSpec, SpecError, Struct, SyscallError, UserRingBuf, asm, features, load, u64
from pybpf.btf import BtfBuilder
from pybpf.syscall import ClosedError
from pybpf.uapi import MapType

pytestmark = pytest.mark.kernel

RAW_TRACEPOINT = 17

MAIN = """
        r1 = requests ll
        r2 = 0 ll
        r3 = 0
        r4 = 0
        call bpf_user_ringbuf_drain
        exit
"""
# The callback is given a dynptr of the record, reads its first number and adds it to the total.
TAKE = """
        r3 = r1
        r1 = r10
        r1 += -8
        r2 = 8
        r4 = 0
        r5 = 0
        call bpf_dynptr_read
        r2 = map_val(map_by_fd(total))
        r1 = *(u64 *)(r10 - 8)
        lock *(u64 *)(r2 + 0) += r1
        w0 = 0
        exit
"""


@pytest.fixture
def user_rings():
    if not features.have_map_type(MapType.USER_RINGBUF):
        pytest.skip("this kernel has no user ring buffers")


class Request(Struct):
    amount: u64
    other: u64


@pytest.fixture
def ring(fd_count, user_rings):
    before = fd_count()
    builder = BtfBuilder()
    number, pointer = builder.add_int("int", 4, True), builder.add_ptr(0)
    long = builder.add_int("long", 8, True)
    main = builder.add_func("drain", builder.add_func_proto(number, [("ctx", pointer)]), 1)
    take = builder.add_func("take", builder.add_func_proto(long, [("record", pointer), ("ctx", pointer)]), 0)
    requests = UserRingBuf(Request, size=4096, name="requests")
    total = Array(u64, max_entries=1, name="total")
    first, second = asm.assemble(MAIN), asm.assemble(TAKE)
    slots = sum(insn.slots for insn in first)
    # A wide load of a function holds the distance to it, in slots from the one after its first.
    at = next(i for i, insn in enumerate(first) if insn.wide and not insn.symbol)
    place = sum(insn.slots for insn in first[:at])
    first[at] = first[at].replace(src=4, imm=slots - place - 1)
    spec = ProgramSpec(
        [*first, *second],
        RAW_TRACEPOINT,
        name="drain",
        maps={"requests": requests, "total": total},
        btf=builder.to_bytes(),
        func_info=[(0, main), (slots, take)],
    )
    with load(spec) as prog:
        yield prog, prog[requests], prog[total]
    assert fd_count() == before


def drain(prog):
    return prog.test_run(ctx=bytes(8)).retval


def test_a_program_takes_what_was_pushed(ring):
    prog, live, total = ring
    assert drain(prog) == 0
    for i in range(5):
        live.push(Request(i, 99))
    live.push((100, 0))
    assert drain(prog) == 6
    assert total[0] == 0 + 1 + 2 + 3 + 4 + 100
    assert drain(prog) == 0


def test_many_times_around(ring):
    prog, live, total = ring
    for _ in range(50):
        for _ in range(100):
            live.push(Request(1, 0))
        assert drain(prog) == 100
    assert total[0] == 5000


def test_a_full_ring(ring):
    prog, live, _ = ring

    def fill():
        for _ in range(1000):
            live.push(Request(1, 0))

    with pytest.raises(SyscallError, match="full") as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    taken = drain(prog)
    assert taken == 4096 // 24
    live.push(Request(1, 0))
    assert drain(prog) == 1


def test_what_cannot_be_pushed(ring):
    _, live, _ = ring
    with pytest.raises(TypeError):
        live.push("text")
    live.close()
    with pytest.raises(ClosedError):
        live.push(Request(1, 2))


def test_records_too_large_for_the_ring(user_rings):
    from pybpf.maps.create import create

    with create(UserRingBuf(size=4096)) as live:
        live.push(struct.pack("=Q", 1))
        for record in (b"", bytes(5000)):
            with pytest.raises(SpecError, match="a record of"):
                live.push(record)
