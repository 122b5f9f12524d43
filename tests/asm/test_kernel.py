"""What the running kernel and bpftool print, read back: the very instructions that were loaded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from pybpf import asm
from pybpf.asm import Insn, Pseudo
from pybpf.errors import VerifierError
from pybpf.syscall import map_create, prog_load

pytestmark = pytest.mark.kernel

# Everything that a socket filter may do and that the log prints without loss, both halves of a branch reached.
PROGRAM = """
    r6 = r1
    *(u64 *)(r10 - 8) = 7
    *(u32 *)(r10 - 16) = -1
    *(u16 *)(r10 - 12) = 300
    *(u8 *)(r10 - 10) = 200
    r1 = map_by_fd({hash})
    r2 = r10
    r2 += -8
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = 5
    lock *(u64 *)(r0 + 0) += r1
    lock *(u32 *)(r0 + 0) |= w1
    r1 = atomic_fetch_add((u64 *)(r0 + 0), r1)
    r1 = atomic_fetch_or((u64 *)(r0 + 0), r1)
    w1 = 3
    w1 = atomic_fetch_xor((u32 *)(r0 + 0), w1)
    w1 = xchg32_32(r0 + 4, w1)
    r1 = xchg_64(r0 + 0, r1)
    r7 = r0
    r0 = 3
    r0 = cmpxchg_64(r7 + 0, r0, r1)
    w0 = cmpxchg32_32(r7 + 0, w0, w1)
    r1 = map_val(map_by_fd({array})) + 4
    r2 = *(u8 *)(r1 + 0)
    r2 = *(u16 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 0)
    *(u8 *)(r1 + 1) = r2
    r2 *= r3
    r2 /= 3
    r2 %= r3
    w2 |= 1
    r2 &= -16
    r2 ^= r3
    r2 <<= 3
    w2 >>= 2
    r2 s>>= 1
    r2 = be16 r2
    r2 = le32 r2
    r2 = -r2
    w2 = -w2
    if w2 s> -5 goto a
    if r2 == -1 goto a
    if r2 & 2147483647 goto a
    if r2 < r3 goto a
    if w2 != w3 goto a
    r2 -= 1
a:  r0 = *(u8 *)skb[23]
    r0 = *(u16 *)skb[r0 + 4]
    call local
    call ktime_get_ns
    r1 = 20015998343868 ll
    *(u32 *)(r10 - 4) = 1
out:
    r0 = 0
    exit
local:
    r0 = 1
    exit
"""
NEWER = {
    "6.6": "r1 s/= 3\nr1 = (s16)r1\nw1 = (s8)w1\nr1 = bswap64 r1\nr2 = *(s8 *)(r10 - 8)\ngotol +0",
    "6.9": "may_goto +0",
    "6.15": "store_release((u64 *)(r10 - 8), r1)\nr1 = load_acquire((u64 *)(r10 - 8))",
}


def log_of(prog: list[Insn]) -> tuple[int, str]:
    return prog_load(1, asm.encode(prog), log_level=2)


@pytest.fixture
def maps():
    fds = {"hash": map_create(1, 8, 8, 4), "array": map_create(2, 4, 8, 1)}
    yield fds
    for fd in fds.values():
        os.close(fd)


def without_addresses(insn: Insn) -> Insn:
    """The log prints a map as its address, as if it were a plain number."""
    is_map = insn.opcode == 0x18 and (insn.src != Pseudo.NONE or insn.imm64 >> 47)
    return Insn(0x18, insn.dst, 0, 0, 0, 0) if is_map else insn


def test_verifier_log(maps):
    prog = asm.resolve(asm.assemble(PROGRAM.format(**maps)))
    fd, log = log_of(prog)
    os.close(fd)
    assert "Live regs before insn" in log or "processed" in log
    assert list(map(without_addresses, asm.assemble(log))) == list(map(without_addresses, prog))


def test_verifier_log_without_the_list_of_live_registers(maps):
    """Only the walk, as older kernels print it: it comes out of order, with parts repeated."""
    prog = asm.resolve(
        asm.assemble(
            "r6 = r1\nr7 = *(u32 *)(r1 + 0)\nr0 = 0\nif r7 == 0 goto b\nr0 = 1\nb: if r0 s> 0 goto c\nr0 = 2\nc: exit"
        )
    )
    fd, log = log_of(prog)
    os.close(fd)
    walk = log[log.index("0: R1=ctx()") :]
    assert len(re.findall(r"^\d+: \(", walk, re.M)) > len(prog)
    assert asm.assemble(walk) == prog


@pytest.mark.parametrize("since", NEWER)
def test_newer_instructions(since):
    release = tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])
    if release < tuple(map(int, since.split("."))):
        pytest.skip(f"these instructions came with Linux {since}")
    prog = asm.assemble(f"r1 = 7\n*(u64 *)(r10 - 8) = 7\n{NEWER[since]}\nr0 = 0\nexit")
    fd, log = log_of(prog)
    os.close(fd)
    assert asm.assemble(log) == prog


def test_the_log_of_a_program_that_is_refused():
    prog = asm.assemble("r0 = *(u64 *)(r1 + 8)\nexit")
    with pytest.raises(VerifierError) as caught:
        prog_load(1, asm.encode(prog))
    assert prog[0] in asm.assemble(caught.value.log)


# What the kernel does not rewrite when it translates a program: no inlined helper, packet load or division.
UNTOUCHED = """
    *(u64 *)(r10 - 8) = 7
    r1 = map_by_fd({hash})
    r1 = map_val(map_by_fd({array})) + 4
    r2 = *(u8 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 0)
    *(u8 *)(r1 + 1) = r2
    r2 *= r3
    w2 |= 1
    r2 s>>= 1
    r2 = be16 r2
    r2 = -r2
    r2 = *(u32 *)(r1 + 0)
    if w2 s> -5 goto a
    if r2 & 2147483647 goto a
    if r2 < r3 goto a
    r2 -= 1
a:  lock *(u32 *)(r10 - 8) += r2
    r2 = atomic_fetch_add((u64 *)(r10 - 8), r2)
    w2 = xchg32_32(r10 - 8, w2)
    r0 = 0
    w0 = cmpxchg32_32(r10 - 8, w0, w2)
    call local
    call ktime_get_ns
    r1 = 20015998343868 ll
    r0 = 0
    exit
local:
    r0 = 1
    exit
"""


@pytest.mark.skipif(shutil.which("bpftool") is None, reason="needs bpftool")
@pytest.mark.parametrize("options", [(), ("opcodes",)], ids=["plain", "opcodes"])
def test_bpftool(maps, options):
    prog = asm.resolve(asm.assemble(UNTOUCHED.format(**maps)))
    fd, _ = prog_load(1, asm.encode(prog))
    try:
        with open(f"/proc/self/fdinfo/{fd}") as info:
            number = re.search(r"prog_id:\s*(\d+)", info.read())[1]
        command = ["bpftool", "prog", "dump", "xlated", "id", number, *options]
        dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    finally:
        os.close(fd)

    def without_ids(insns):
        return [insn.replace(imm=0) if insn.opcode == 0x18 and insn.src else insn for insn in insns]

    assert without_ids(asm.assemble(dump)) == without_ids(prog)
