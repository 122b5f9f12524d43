"""A program that writes the records that a test asks for."""

from __future__ import annotations

import os

import pytest

from pybpf import PerfEventArray, ProgramSpec, RingBuf, asm, load

SCHED_CLS = 3

# Byte 14 of the packet is the length of a record, byte 15 what to do (1: reserve a record and discard it), the record
# follows.
TEXT = """
        r6 = r1
        r2 = 14
        r3 = r10
        r3 += -64
        r4 = 64
        call bpf_skb_load_bytes
        r7 = *(u8 *)(r10 - 63)
        if r7 != 1 goto write
        r1 = events ll
        r2 = 16
        r3 = 0
        call bpf_ringbuf_reserve
        if r0 == 0 goto done
        r1 = r0
        r2 = 0
        call bpf_ringbuf_discard
        goto done
write:  r8 = *(u8 *)(r10 - 64)
        if r8 == 0 goto done
        if r8 > 48 goto done
        {output}
done:   w0 = 0
        exit
"""
RING = """
        r1 = events ll
        r2 = r10
        r2 += -62
        r3 = r8
        r4 = 0
        call bpf_ringbuf_output
"""
PERF = """
        r1 = r6
        r2 = events ll
        w3 = -1
        r4 = r10
        r4 += -62
        r5 = r8
        call bpf_perf_event_output
"""


class Source:
    """A loaded program and its reader; `write` makes the kernel write a record."""

    def __init__(self, declared):
        ring = isinstance(declared, RingBuf)
        text = TEXT.format(output=RING if ring else PERF)
        if not ring:  # ring helpers do not go with a perf buffer
            text = text.replace(text[text.index("        if r7 != 1") : text.index("write:")], "")
        spec = ProgramSpec(asm.assemble(text), SCHED_CLS, name="source", maps={"events": declared})
        self.prog = load(spec)
        self.reader = self.prog[declared]

    def write(self, record, times=1):
        self.prog.test_run(data=bytes(14) + bytes([len(record), 0]) + record.ljust(100, b"\0"), repeat=times)

    def discard(self):
        self.prog.test_run(data=bytes(14) + b"\0\1" + bytes(100))


@pytest.fixture
def source(fd_count):
    """`source(declared)` makes a `Source`; all are closed at the end, and no descriptor is left.

    The test stays on one CPU: records of different CPUs have no order in a perf buffer.
    """
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    before = fd_count()
    made = []

    def make(declared):
        made.append(Source(declared))
        return made[-1]

    yield make
    for one in made:
        one.prog.close()
    os.sched_setaffinity(0, cpus)
    assert fd_count() == before


@pytest.fixture(params=["ring", "perf"])
def stream(request, source):
    """`stream(event type)`: a source by ring buffer and by perf buffer."""

    def make(event=None):
        if request.param == "ring":
            return source(RingBuf(event, size=1 << 16, name="events"))
        return source(PerfEventArray(event, name="events"))

    make.kind = request.param
    return make
