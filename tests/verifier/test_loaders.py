"""Loaders with few capabilities, or none: what they may load, and that the kernel says the same to such a process."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

import pytest

from pybpf import MapSpec, ProgramSpec, asm, verify
from pybpf.errors import SpecError, SyscallError, VerifierError
from pybpf.syscall import prog_load
from pybpf.uapi.map import MapType
from pybpf.uapi.prog import ProgType

SK, CG, XDP, TP, REUSEPORT = (
    ProgType.SOCKET_FILTER,
    ProgType.CGROUP_SKB,
    ProgType.XDP,
    ProgType.TRACEPOINT,
    ProgType.SK_REUSEPORT,
)
NOBODY = 65534
SWITCH = Path("/proc/sys/kernel/unprivileged_bpf_disabled")
BITS = {"bpf": 39, "perfmon": 38, "net_admin": 12}
VALUES = MapSpec(MapType.ARRAY, 4, 64, 4, name="values")
FIND = "r6 = r1; *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = values ll; call 1; if r0 == 0 goto o; r7 = *(u32 *)(r6 + 0)"
OUT = "o: r0 = 0; exit"

# (name, program type, text, capabilities, category or None for a program that is taken)
CASES = [
    ("a socket filter", SK, "r0 = 0; exit", "", None),
    ("a cgroup's filter", CG, "r0 = 1; exit", "", None),
    ("XDP", XDP, "r0 = 2; exit", "", "privilege"),
    ("XDP with CAP_BPF", XDP, "r0 = 2; exit", "bpf", "privilege"),
    ("XDP with CAP_NET_ADMIN too", XDP, "r0 = 2; exit", "bpf+net_admin", None),
    ("a tracepoint", TP, "r0 = 0; exit", "bpf+net_admin", "privilege"),
    ("a tracepoint with CAP_PERFMON", TP, "r0 = 0; exit", "bpf+perfmon", None),
    ("choosing a socket", REUSEPORT, "r0 = 1; exit", "bpf", None),
    ("a function", SK, "call f; exit; f: r0 = 0; exit", "", "privilege"),
    ("a function with CAP_BPF", SK, "call f; exit; f: r0 = 0; exit", "bpf", None),
    ("a loop", SK, "r0 = 0; l: r0 += 1; if r0 < 4 goto l; exit", "", "cfg"),
    ("a loop with CAP_PERFMON", SK, "r0 = 0; l: r0 += 1; if r0 < 4 goto l; exit", "bpf+perfmon", None),
    ("an address as result", SK, "r0 = r1; exit", "", "leak"),
    ("an address as result with CAP_BPF", SK, "r0 = r1; exit", "bpf", "leak"),
    ("an address as result with CAP_PERFMON", SK, "r0 = r10; exit", "bpf+perfmon", None),
    ("an address in a map", SK, f"{FIND}; *(u64 *)(r0 + 0) = r10; {OUT}", "", "leak"),
    ("addresses compared", SK, "r0 = 0; if r1 == r10 goto o; o: exit", "", "leak"),
    ("bytes that nobody wrote", SK, "*(u64 *)(r10 - 16) = 0; r0 = *(u64 *)(r10 - 8); exit", "", "uninitialised"),
    ("bytes that nobody wrote, with CAP_PERFMON", SK, "r0 = *(u64 *)(r10 - 8); exit", "bpf+perfmon", None),
    ("half a pointer overwritten", SK, "*(u64 *)(r10 - 8) = r1; *(u32 *)(r10 - 8) = 0; r0 = 0; exit", "", "leak"),
    ("a masked index", SK, f"{FIND}; r7 &= 63; r0 += r7; r0 = *(u8 *)(r0 + 0); {OUT}", "", None),
    ("an index too large", SK, f"{FIND}; r7 &= 127; r0 += r7; r0 = *(u8 *)(r0 + 0); {OUT}", "", "leak"),
    ("an index of either sign", SK, f"{FIND}; r7 &= 15; r7 -= 8; r0 += 8; r0 += r7; {OUT}", "", "leak"),
    ("an index into the stack", SK, f"{FIND}; r7 &= 7; r2 = r10; r2 += -16; r2 += r7; {OUT}", "", "leak"),
    (
        "one addition, two limits",
        SK,
        f"{FIND}; r7 &= 7; r8 = r0; if r7 > 3 goto a; r8 += 16; a: r8 += r7; r0 = *(u8 *)(r8 + 0); {OUT}",
        "",
        "leak",
    ),
    ("a guess that goes wrong", SK, f"{FIND}; r8 = 1; if r8 == 1 goto o; r0 = *(u64 *)(r8 + 0); {OUT}", "", None),
    ("the packet's data", CG, "r2 = *(u32 *)(r1 + 76); r0 = 1; exit", "", "ctx-access"),
    ("the packet's data with CAP_BPF", CG, "r2 = *(u32 *)(r1 + 76); r0 = 1; exit", "bpf", None),
    ("reading the kernel", SK, "r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 113; r0 = 0; exit", "bpf", "helper"),
    ("jiffies", SK, "call 118; r0 = 0; exit", "", "helper"),
    ("jiffies with CAP_BPF", SK, "call 118; r0 = 0; exit", "bpf", None),
    ("too long", SK, "r0 = 0; " * 4096 + "exit", "", "complexity"),
    ("long with CAP_BPF", SK, "r0 = 0; " * 4096 + "exit", "bpf", None),
]


def program(prog_type: int, text: str) -> ProgramSpec:
    maps = {"values": VALUES} if "values" in text else {}
    return ProgramSpec(asm.resolve(asm.assemble(text.replace("; ", "\n"))), prog_type, name="case", maps=maps)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_verdict(case):
    _, prog_type, text, capabilities, category = case
    report = verify(program(prog_type, text), privileged=capabilities)
    assert (report.findings[0].category if report.findings else None) == category, report


def test_ways_to_name_a_loader():
    leak = program(SK, "r0 = r1; exit")
    assert verify(leak).ok
    assert verify(leak, privileged=["CAP_BPF", "CAP_PERFMON"]).ok
    assert verify(leak, privileged="CAP_SYS_ADMIN").ok
    assert not verify(leak, privileged=False).ok
    with pytest.raises(SpecError, match="CAP_CHOWN makes no difference"):
        verify(leak, privileged="chown")


def as_nobody(capabilities: str, spec: ProgramSpec, raw: bytes) -> str:
    """What the kernel says to a process with these capabilities alone: "" when it takes the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, for each half
    for name in filter(None, capabilities.split("+")):
        half, bit = divmod(BITS[name], 32)
        sets[3 * half] |= 1 << bit
        sets[3 * half + 1] |= 1 << bit
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            header = struct.pack("=Ii", 0x20080522, 0)
            if libc.syscall(126, header, sets):  # capset, on x86-64
                raise OSError(ctypes.get_errno(), "capset")
            prog_load(spec.prog_type, raw, "GPL")
            said = ""
        except VerifierError as error:
            said = error.log[-2000:]
        except SyscallError as error:
            said = f"errno {error.errno}"
        except BaseException as error:  # the child must end here, whatever happens
            said = f"failed: {error!r}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    return said


@pytest.mark.kernel
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_the_kernel_says_the_same(case, oracle):
    _, prog_type, text, capabilities, category = case
    release = os.uname()
    if not release.release.startswith("6.18.") or release.machine != "x86_64":
        pytest.skip("the tables' origin is Linux 6.18 on x86-64, this kernel is another")
    if not capabilities and SWITCH.read_text().strip() != "0":
        pytest.skip("kernel.unprivileged_bpf_disabled is not 0: the kernel hears no user without capabilities")
    spec = program(prog_type, text)
    import resource  # noqa: F401 (nobody may be unable to read the library's folder)

    with oracle.Kernel() as kernel:
        said = as_nobody(capabilities, spec, kernel.encode(spec))
    assert not said.startswith("failed"), said
    assert (not said) == (category is None), said
