"""What a fault says: instruction, line, address, and the region that was meant; for every kind of region."""

from __future__ import annotations

import pytest

from pybpf import VM, Array, HashMap, PerCpuArray, ProgramSpec, RingBuf, VmFault, asm, u32, u64, verify
from pybpf.uapi import AttachType, ProgType

MAPS = {
    "cells": Array(u64, max_entries=1, name="cells"),
    "pairs": HashMap(u32, u64, max_entries=4, name="pairs"),
    "ring": RingBuf(size=4096, name="ring"),
    "percpu": PerCpuArray(u64, max_entries=1, name="percpu"),
}
LOOK = "*(u32 *)(r10 - 4) = 0\nr1 = {} ll\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\n"
RESERVE = "r1 = ring ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\n"
DATA = "r7 = *(u32 *)(r1 + 0)\n"
# Text of the program, whose last line but `exit` faults, and what is said behind "insn N: ".
CASES = {
    "below the stack": (
        "r0 = *(u64 *)(r10 - 520)",
        "read of 8 bytes at 0x8000000ffffffff8: out of bounds: 8 bytes before the stack (512 bytes, writable)",
    ),
    "above the stack": (
        "*(u8 *)(r10 + 0) = 1",
        "write of 1 byte at 0x8000001000000200: out of bounds: offset 512 of the stack (512 bytes, writable)",
    ),
    "half on the stack": (
        "lock *(u64 *)(r10 - 7) += r1",
        "read of 8 bytes at 0x80000010000001f9: out of bounds: offset 505 of the stack (512 bytes, writable)",
    ),
    "behind the context": (
        "r0 = *(u32 *)(r1 + 64)",
        "read of 4 bytes at 0x8000000100000040: out of bounds: offset 64 of struct xdp_md (24 bytes)",
    ),
    "pointer in the context": (
        "*(u32 *)(r1 + 0) = 0",
        "write of 4 bytes at offset 0 of struct xdp_md: a pointer cannot be stored there",
    ),
    "behind the packet": (
        DATA + "r0 = *(u8 *)(r7 + 64)",
        "read of 1 byte at PACKET+40: out of bounds: offset 64 of the packet (64 bytes, writable)",
    ),
    "before the packet": (
        DATA + "r0 = *(u8 *)(r7 - 1)",
        "read of 1 byte at PACKET-1: out of bounds: 1 byte before the packet (64 bytes, writable)",
    ),
    "behind a value": (
        LOOK.format("cells") + "r0 = *(u64 *)(r0 + 8)",
        "read of 8 bytes at VALUE+8: out of bounds: offset 8 of value of cells[0] (8 bytes, writable)",
    ),
    "before a value": (
        LOOK.format("cells") + "r0 = *(u64 *)(r0 - 8)",
        "read of 8 bytes at VALUE-8: out of bounds: 8 bytes before value of cells[0] (8 bytes, writable)",
    ),
    "behind a value by its address": (
        "r1 = map_val(cells) + 0\nr0 = *(u64 *)(r1 + 1)",
        "read of 8 bytes at VALUE+1: out of bounds: offset 1 of value of cells[0] (8 bytes, writable)",
    ),
    "behind a per-CPU value": (
        LOOK.format("percpu") + "*(u64 *)(r0 + 4) = 1",
        "write of 8 bytes at VALUE+4: out of bounds: offset 4 of value of percpu[0] on CPU 0 (8 bytes, writable)",
    ),
    "nothing found": (
        LOOK.format("pairs") + "r0 = *(u64 *)(r0 + 8)",
        "read of 8 bytes at 0x8: NULL pointer or a number used as one",
    ),
    "behind a record": (
        RESERVE + "*(u64 *)(r0 + 8) = 1",
        "write of 8 bytes at RECORD+8: out of bounds: offset 8 of record of ring (8 bytes, writable)",
    ),
    "a map itself": (
        "r1 = cells ll\n*(u64 *)(r1 + 0) = 1",
        "write of 8 bytes at MAP+0: struct bpf_map of cells is read-only",
    ),
    "a number": ("r1 = 7\nr0 = *(u64 *)(r1 + 0)", "read of 8 bytes at 0x7: NULL pointer or a number used as one"),
    "key of a helper": (
        "r1 = cells ll\nr2 = 5\ncall bpf_map_lookup_elem",
        "read of 4 bytes at 0x5: NULL pointer or a number used as one",
    ),
    "map of a helper": ("r1 = 7\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem", "0x7 is not a map"),
    "buffer of a helper": (
        "r1 = map_val(cells) + 0\nr2 = 9\nr3 = r1\ncall bpf_probe_read_kernel",
        "write of 9 bytes at VALUE+0: out of bounds: offset 0 of value of cells[0] (8 bytes, writable)",
    ),
    "no value": ("r0 = r3", "r3 is read before it holds a value"),
    "no helper": ("call 9999", "there is no helper number 9999"),
}


@pytest.mark.parametrize("engine", ["interpreter", "translator"])
@pytest.mark.parametrize("case", CASES)
def test_texts(case, engine):
    text, wanted = CASES[case]
    insns = asm.assemble(text + "\nr0 = 0\nexit")
    vm = VM(ProgramSpec(insns, ProgType.XDP, maps=MAPS), engine=engine)
    with pytest.raises(VmFault) as caught:
        vm.run(data=bytes(64))
    line = text.splitlines()[-1]
    slot = sum(insn.slots for insn in insns[: len(text.splitlines()) - 1])
    place = f"<asm>:{len(text.splitlines())}:1: insn {slot}: "
    said = str(caught.value)
    assert said.startswith(place), said
    assert said.endswith(f"\n    {line}\n    ^"), said
    message = said[len(place) :].splitlines()[0]
    for name in ("PACKET", "VALUE", "RECORD", "MAP"):
        if name in wanted:  # where it lies is the machine's affair
            before, _, rest = wanted.partition(name)
            at, _, behind = rest.partition(":")
            assert message.startswith(f"{before}0x"), message
            assert message.endswith(f":{behind}"), message
            found = int(message[len(before) :].split(":")[0], 16)
            assert (found - int(at, 16)) & 0xFFFFFFFF == 0
            assert caught.value.address == found
            return
    assert message == wanted


@pytest.mark.parametrize("engine", ["interpreter", "translator"])
def test_a_record_that_was_given_away(engine):
    text = RESERVE + "r6 = r0\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\n*(u64 *)(r6 + 0) = 1\nr0 = 0\nexit"
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.XDP, maps=MAPS), engine=engine)
    with pytest.raises(VmFault, match=r"insn 9: write of 8 bytes at 0x[0-9a-f]+: no memory there: nearest is "):
        vm.run(data=bytes(64))


STORES = {
    "*(u32 *)(r1 + 0) = 1": "write of 4 bytes at offset 0 of struct __sk_buff (len): ",
    "*(u16 *)(r1 + 8) = 1": "write of 2 bytes at offset 8 of struct __sk_buff (mark): ",
    "*(u32 *)(r1 + 48) = 1": None,
    "*(u8 *)(r1 + 49) = 1": None,
}


@pytest.mark.parametrize("engine", ["interpreter", "translator"])
@pytest.mark.parametrize("text", STORES)
def test_fields_that_may_not_be_written(text, engine):
    spec = ProgramSpec(asm.assemble(f"{text}\nr0 = 0\nexit"), ProgType.SCHED_CLS)
    vm = VM(spec, engine=engine)
    assert verify(spec).ok == (STORES[text] is None)
    if STORES[text] is None:
        vm.run(data=bytes(64))
        return
    with pytest.raises(VmFault) as caught:
        vm.run(data=bytes(64))
    assert f"insn 0: {STORES[text]}this kind of program may not write there" in str(caught.value)


def test_what_may_be_written_depends_on_the_hook():
    """user_ip6 at 4 to 20 of struct bpf_sock_addr: hooks of IPv6 write it, those of IPv4 do not."""
    insns = asm.assemble("*(u32 *)(r1 + 8) = 1\nr0 = 1\nexit")
    on_ipv4, on_ipv6 = AttachType.CGROUP_INET4_CONNECT, AttachType.CGROUP_INET6_CONNECT
    assert VM(ProgramSpec(insns, ProgType.CGROUP_SOCK_ADDR, expected_attach_type=on_ipv6)).run(ctx={}).retval == 1
    with pytest.raises(VmFault, match="offset 8 of struct bpf_sock_addr"):
        VM(ProgramSpec(insns, ProgType.CGROUP_SOCK_ADDR, expected_attach_type=on_ipv4)).run(ctx={})
