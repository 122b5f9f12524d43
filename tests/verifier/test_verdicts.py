"""Small programs: what is said of them, as a table; where the kernel can be asked, it says the same."""

from __future__ import annotations

import os

import pytest

from pybpf import MapSpec, ProgramSpec, asm, verify
from pybpf.uapi.map import MapType
from pybpf.uapi.prog import ProgType

MAPS = {
    "hash": MapSpec(MapType.HASH, 4, 16, 8, name="hash"),
    "one": MapSpec(MapType.ARRAY, 4, 16, 1, name="one"),
    "ring": MapSpec(MapType.RINGBUF, 0, 0, 4096, name="ring"),
}
KEY = "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = hash ll; call 1"
RESERVE = "r1 = ring ll; r2 = 16; r3 = 0; call 131"
PACKET = "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r2; r4 += 14"
SK, CLS, XDP, TP, CG = (
    ProgType.SOCKET_FILTER,
    ProgType.SCHED_CLS,
    ProgType.XDP,
    ProgType.TRACEPOINT,
    ProgType.CGROUP_SKB,
)

# (name, program type, text, category or None for a program that is taken, part of the message)
CASES = [
    ("returns", SK, "r0 = 0; exit", None, ""),
    ("no return value", SK, "exit", "uninitialised", "R0 !read_ok"),
    ("register never written", SK, "r0 = r4; exit", "uninitialised", "R4 !read_ok"),
    ("arguments do not survive calls", SK, "r1 = 1; call 7; r0 = r1; exit", "uninitialised", "R1 !read_ok"),
    ("frame pointer", SK, "r10 = 0; r0 = 0; exit", "type", "frame pointer is read only"),
    ("unreachable", SK, "r0 = 0; exit; r0 = 1; exit", "cfg", "unreachable insn 2"),
    ("falls off its end", SK, "r0 = 0", "cfg", "last insn is not an exit"),
    ("no end", SK, "r0 = 0; l: goto l", "complexity", "infinite loop"),
    ("loop that may_goto ends", SK, "r7 = 0; l: may_goto o; r7 += 1; goto l; o: r0 = 0; exit", None, ""),
    ("budget that only bounds itself", SK, "r0 = 0; l: may_goto l; exit", "complexity", "infinite loop"),
    ("signed load of a packet pointer", XDP, "r2 = *(s32 *)(r1 + 0); r0 = 2; exit", "ctx-access", "off=0 size=4"),
    ("signed load of a number", XDP, "r2 = *(s32 *)(r1 + 12); r0 = 2; exit", None, ""),
    ("bounded loop", SK, "r0 = 0; l: r0 += 1; if r0 < 10 goto l; exit", None, ""),
    ("division by zero", SK, "r0 = 1; r0 /= 0; exit", "encoding", "div by zero"),
    ("shift too far", SK, "r0 = 1; r0 <<= 64; exit", "encoding", "invalid shift 64"),
    ("number as pointer", SK, "r1 = 5; r0 = *(u8 *)(r1 + 0); exit", "type", "invalid mem access 'scalar'"),
    ("stack too low", SK, "*(u64 *)(r10 - 520) = 0; r0 = 0; exit", "bounds-stack", "off=-520 size=8"),
    ("stack too high", SK, "*(u64 *)(r10 + 0) = 0; r0 = 0; exit", "bounds-stack", "invalid write to stack R10 off=0"),
    ("stack unaligned", SK, "*(u32 *)(r10 - 6) = 0; r0 = 0; exit", "alignment", "misaligned stack access"),
    ("spilled pointer", SK, "*(u64 *)(r10 - 8) = r1; r2 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r2 + 0); exit", None, ""),
    ("half a pointer", SK, "*(u64 *)(r10 - 8) = r1; r0 = *(u32 *)(r10 - 8); exit", "bounds-stack", "register fill"),
    ("context", SK, "r0 = *(u32 *)(r1 + 0); exit", None, ""),
    ("context hole", SK, "r0 = *(u64 *)(r1 + 0); exit", "ctx-access", "off=0 size=8"),
    ("context moved", SK, "r1 += 4; r0 = *(u32 *)(r1 + 0); exit", "ctx-access", "modified ctx ptr"),
    ("map value unchecked", SK, f"{KEY}; r0 = *(u32 *)(r0 + 0); exit", "null", "map_value_or_null"),
    ("map value checked", SK, f"{KEY}; if r0 == 0 goto o; r0 = *(u32 *)(r0 + 0); exit; o: r0 = 0; exit", None, ""),
    (
        "map value overrun",
        SK,
        f"{KEY}; if r0 == 0 goto o; r0 = *(u64 *)(r0 + 9); exit; o: r0 = 0; exit",
        "bounds-map",
        "16 bytes",
    ),
    (
        "index unbounded",
        SK,
        f"r6 = *(u32 *)(r1 + 0); {KEY}; if r0 == 0 goto o; r0 += r6; r0 = *(u8 *)(r0 + 0); exit; o: r0 = 0; exit",
        "bounds-map",
        "unbounded memory access",
    ),
    (
        "index masked",
        SK,
        f"r6 = *(u32 *)(r1 + 0); r6 &= 15; {KEY}; if r0 == 0 goto o; r0 += r6; r0 = *(u8 *)(r0 + 0); exit; o: r0 = 0; exit",
        None,
        "",
    ),
    ("constant key of an array", SK, KEY.replace("hash", "one") + "; r0 = *(u32 *)(r0 + 0); exit", None, ""),
    (
        "packet unchecked",
        XDP,
        "r1 = *(u32 *)(r1 + 0); r0 = *(u8 *)(r1 + 0); r0 = 2; exit",
        "bounds-packet",
        "outside of the packet",
    ),
    ("packet checked", CLS, f"{PACKET}; if r4 > r3 goto o; r0 = *(u8 *)(r2 + 13); o: r0 = 0; exit", None, ""),
    (
        "packet one too far",
        CLS,
        f"{PACKET}; if r4 > r3 goto o; r0 = *(u8 *)(r2 + 14); o: r0 = 0; exit",
        "bounds-packet",
        "off=14",
    ),
    (
        "packet read only",
        CG,
        f"{PACKET}; if r4 > r3 goto o; *(u8 *)(r2 + 0) = 0; o: r0 = 0; exit",
        "type",
        "cannot write into packet",
    ),
    (
        "packet moved by a helper",
        CLS,
        f"r6 = r1; {PACKET}; if r4 > r3 goto o; r7 = r2; r1 = r6; r2 = 0; call 39; r0 = *(u8 *)(r7 + 0); o: r0 = 0; exit",
        "type",
        "R7 invalid mem access",
    ),
    ("unknown helper", SK, "call 9999; exit", "helper", "invalid func unknown#9999"),
    (
        "helper of others",
        SK,
        "r1 = 0; r2 = 0; call 23; r0 = 0; exit",
        "helper",
        "program of this type cannot use helper",
    ),
    (
        "wrong argument",
        SK,
        "r1 = 0; r2 = r10; r2 += -4; call 1; r0 = 0; exit",
        "argument",
        "R1 type=scalar expected=map_ptr",
    ),
    ("key behind the stack", SK, "r2 = r10; r1 = hash ll; call 1; r0 = 0; exit", "bounds-stack", "stack R2"),
    (
        "size may be zero",
        TP,
        "r6 = *(u32 *)(r1 + 8); r1 = r10; r1 += -8; r2 = r6; call 16; r0 = 0; exit",
        "argument",
        "zero-sized",
    ),
    ("reference kept", SK, f"{RESERVE}; r0 = 0; exit", "reference", "reference leak"),
    ("reference given back", SK, f"{RESERVE}; if r0 == 0 goto o; r1 = r0; r2 = 0; call 132; o: r0 = 0; exit", None, ""),
    (
        "record used after it was given back",
        SK,
        f"{RESERVE}; if r0 == 0 goto o; r6 = r0; r1 = r0; r2 = 0; call 132; *(u8 *)(r6 + 0) = 0; o: r0 = 0; exit",
        "type",
        "R6 invalid mem access",
    ),
    ("pointer sum", SK, "r0 = r1; r0 += r10; exit", "type", "pointer += pointer prohibited"),
    ("pointer product", SK, "r0 = r10; r0 *= 2; exit", "type", "*= operator prohibited"),
    ("half of a pointer", SK, "r0 = r10; w0 += 1; exit", "type", "32-bit pointer arithmetic"),
    ("return value", CG, "r0 = 7; exit", "return-value", "should have been in [0, 1]"),
    (
        "atomic on the context",
        SK,
        "r2 = 1; lock *(u32 *)(r1 + 0) += r2; r0 = 0; exit",
        "type",
        "BPF_ATOMIC stores into R1 ctx",
    ),
    (
        "deep frames",
        SK,
        "*(u8 *)(r10 - 300) = 0; call f; exit; f: *(u8 *)(r10 - 300) = 0; r0 = 0; exit",
        "stack-depth",
        "608",
    ),
    ("recursion", SK, "call f; exit; f: call f; exit", "stack-depth", "call stack of 8 frames"),
    (
        "equal numbers",
        SK,
        "r2 = *(u32 *)(r1 + 0); r3 = r2; r0 = 0; if r2 > 7 goto o; r4 = r10; r4 += -8; r4 += r3; *(u8 *)(r4 + 0) = 1; o: exit",
        None,
        "",
    ),
]


def program(prog_type: int, text: str) -> ProgramSpec:
    insns = asm.assemble(text.replace("; ", "\n"))
    used = {insn.symbol for insn in insns if insn.wide}
    return ProgramSpec(
        asm.resolve(insns), prog_type, name="case", maps={name: m for name, m in MAPS.items() if name in used}
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_verdict(case):
    _, prog_type, text, category, message = case
    report = verify(program(prog_type, text))
    if category is None:
        assert report.ok, report
        assert report.verdict == "accept"
    else:
        assert report.verdict == "reject", report
        finding = report.findings[0]
        assert (finding.category, message in finding.message) == (category, True), report
        assert finding.insn is None or finding.insn >= 0


@pytest.mark.kernel
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_the_kernel_says_the_same(case, oracle, reasons):
    if not os.uname().release.startswith("6.18."):
        pytest.skip("the tables' origin is Linux 6.18, this kernel is another")
    _, prog_type, text, category, _ = case
    with oracle.Kernel() as kernel:
        verdict = kernel.load(program(prog_type, text))
    assert verdict.accept == (category is None), verdict.log
    if category is not None:
        assert reasons.agree(verdict.reason, category), (verdict.reason, reasons.category(verdict.reason), category)


def test_unknown_without_types():
    """What depends on the kernel's types is not guessed."""
    text = "call 158; r0 = *(u32 *)(r0 + 0); r0 = 0; exit"
    report = verify(program(TP, text))
    assert report.verdict == "unknown"
    assert "Env" in report.findings[0].hint


GARBAGE = [
    bytes(8),
    bytes([0x18]) + bytes(7),
    bytes([0xFF] * 16),
    bytes([0x85, 0x10, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0x95, 0, 0, 0, 0, 0, 0, 0]),
    bytes([0x05, 0, 0xFF, 0x7F]) + bytes(4),
]


@pytest.mark.parametrize("raw", GARBAGE)
def test_garbage_gives_a_report(raw):
    report = verify(ProgramSpec.from_bytes(raw, SK))
    assert report.verdict == "reject"
    assert str(report)


def test_odd_specs_give_a_report():
    assert verify(ProgramSpec((), SK)).findings[0].category == "cfg"
    insns = asm.assemble("r0 = 0\nexit")
    assert verify(ProgramSpec(insns, 999)).findings[0].category == "kernel-version"
    assert verify(ProgramSpec(insns, SK, flags=1 << 30)).findings[0].category == "kernel-version"


def test_a_million_instructions():
    """Too many, in bounded time."""
    insn = asm.assemble("r0 = 0")[0]
    report = verify(ProgramSpec([insn] * 1_000_001, SK))
    assert report.findings[0].category == "complexity"


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("r0 = (s8)r1; exit", "6.6"),
        ("r0 = 8; r0 s/= 2; exit", "6.6"),
        ("r0 = bswap64 r0; exit", "6.6"),
        ("gotol +0; r0 = 0; exit", "6.6"),
        ("*(u64 *)(r10 - 8) = 0; r0 = *(s8 *)(r10 - 8); exit", "6.6"),
        ("*(u64 *)(r10 - 8) = 0; r0 = 1; r0 = atomic_fetch_add((u64 *)(r10 - 8), r0); r0 = 0; exit", "5.12"),
    ],
)
def test_older_kernels_lack_instructions(text, since):
    spec = program(SK, "r0 = 0; r1 = 0; " + text)
    assert verify(spec, kernel="6.18").ok, verify(spec)
    assert verify(spec, kernel="5.10").findings[0].category == "encoding"
    assert verify(spec, kernel="6.1").ok == (since == "5.12")


@pytest.mark.parametrize(
    ("link", "known", "since"),
    [
        ("r7 = r6", "r6", "5.10"),
        ("*(u64 *)(r10 - 8) = r6; r7 = *(u64 *)(r10 - 8)", "r6", "6.9"),
        ("*(u64 *)(r10 - 8) = r6; r7 = *(u64 *)(r10 - 8); r6 = *(u64 *)(r10 - 8)", "r6", "6.9"),
        ("r8 = r6; *(u64 *)(r10 - 8) = r6; r7 = *(u64 *)(r10 - 8)", "r6", "5.10"),
    ],
)
def test_older_kernels_do_not_link_a_spilled_number_to_its_register(link, known, since):
    spec = program(
        SK,
        f"r6 = *(u32 *)(r1 + 0); r6 &= 255; {link}; if {known} > 7 goto out; if r7 > 7 goto bad; "
        "out: r0 = 0; exit; bad: r0 = r9; exit",
    )
    assert verify(spec, kernel="6.18").ok, verify(spec)
    assert verify(spec, kernel="5.10").ok == (since == "5.10")


# (program type, attach type, whether a program with it loads); the kernel of the tables said so
ATTACH_TYPES = [
    (XDP, 9, True),
    (CG, 1, True),
    (CG, 9, False),
    (ProgType.SK_MSG, 1, True),
    (SK, 9, True),
    (CLS, 9, True),
]


@pytest.mark.parametrize(("prog_type", "attach_type", "loads"), ATTACH_TYPES)
def test_attach_types(prog_type, attach_type, loads):
    spec = program(prog_type, "r0 = 1; exit").replace(expected_attach_type=attach_type)
    assert verify(spec).ok == loads
