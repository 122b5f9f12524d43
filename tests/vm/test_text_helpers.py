"""Numbers in text and formatted text, beside the kernel's bpf_strtol, bpf_strtoul and bpf_snprintf."""

from __future__ import annotations

import pytest

from pybpf import VM, Array, ProgramSpec, VerifierError, asm, load, u64
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel

NUMBERS = (
    b"0", b"12", b"-12", b"+12", b"  12", b"\t-0x1f", b"0x1f", b"0X1F", b"017", b"08", b"0x", b"-", b"",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809",
    b"18446744073709551615", b"18446744073709551616", b"ffz", b"12 34", b"\0", b"- 5", b"--5", b"0x0x5", b"00x5", b"1_0",
    b"\x0b7", b"\xa07", b"\x857", b"0b11", b"7" * 23, b"deadbeef", b"-0", b"0xg", b"0x-1", b"1e5", b"9" * 70, b"0" * 70 + b"5",
)  # fmt: skip

STRTO = """
    *(u64 *)(r10 - 8) = 77
    r1 = map[id:text][0]+0
    r2 = {length}
    r3 = {flags}
    r4 = r10
    r4 += -8
    call bpf_{name}
    r1 = map[id:number][0]+0
    r2 = *(u64 *)(r10 - 8)
    *(u64 *)(r1 + 0) = r2
    exit
"""


@pytest.mark.parametrize("name", ["strtol", "strtoul"])
@pytest.mark.parametrize("flags", [0, 8, 10, 16, 2, 36, 32, 48])
def test_numbers_in_text(name, flags):
    for length in (1, 3, 20, 80):
        text = STRTO.format(name=name, length=length, flags=flags)
        maps = {"text": Array(80, max_entries=1, name="text"), "number": Array(u64, max_entries=1, name="number")}
        spec = ProgramSpec(asm.assemble(text), ProgType.SYSCALL, license="GPL", flags=16, maps=maps)
        vm = VM(spec)
        with load(spec) as prog:
            for one in NUMBERS:
                vm["text"][0] = prog["text"][0] = one.ljust(80, b"\0")
                assert (vm.run().retval, vm["number"][0]) == (prog.test_run().retval, prog["number"][0]), (one, length)


SNPRINTF = """
    r9 = map[id:memory][0]+0
    {arguments}
    r1 = map[id:out][0]+0
    r2 = {size}
    r3 = map[id:format][0]+0
    r4 = r10
    r4 += -32
    r5 = {length}
    call bpf_snprintf
    exit
"""
MEMORY = b"hello world".ljust(16, b"\0") + bytes(range(1, 17)) + bytes(32)
NUMERIC = ("%d", "%u", "%x", "%X", "%ld", "%lu", "%lx", "%lld", "%llu", "%llx", "%i", "%5d", "%-5d|", "%05d", "%+d", "% d", "%c",
           "%5c|", "%08llx", "%-8x|", "%020llx", "%+5d", "%+05d", "%-05d|", "% 5d", "%lX",
           "%lli", "%d\n", "%%", "%d%%")  # fmt: skip
POINTERS = ("%s", "%10s|", "%-10s|", "%pks", "%pus", "%pi4", "%pI4", "%pi6", "%pI6")
REFUSED = (
    "%",
    "%l",
    "%q",
    "%n",
    "%e",
    "%*d",
    "%.5d",
    "%hd",
    "%o",
    "%#x",
    "%zu",
    "%5%",
    "a%",
    "\x01",
    "%ls",
    "%pM",
    "%t",
)


def snprintf(text: str, arguments: list, size: int) -> ProgramSpec:
    """Arguments are numbers, or ("at", offset) into the memory."""
    raw = text.encode() + b"\0"
    lines = []
    for i, one in enumerate(arguments):
        made = [f"r8 = {one} ll"] if isinstance(one, int) else ["r8 = r9", f"r8 += {one[1]}"]
        lines += [*made, f"*(u64 *)(r10 - {32 - 8 * i}) = r8"]
    code = SNPRINTF.format(arguments="\n".join(lines), size=size, length=8 * len(arguments))
    if not arguments:
        code = code.replace("r4 = r10\n    r4 += -32", "r4 = 0")
    maps = {
        "memory": Array(64, max_entries=1, name="memory", contents=[(0, MEMORY)]),
        "format": Array(len(raw), max_entries=1, name="format", flags=1 << 7, contents=[(0, raw)], frozen=True),
        "out": Array(64, max_entries=1, name="out"),
    }
    return ProgramSpec(asm.assemble(code), ProgType.SYSCALL, license="GPL", flags=16, maps=maps)


@pytest.mark.parametrize("size", [64, 5, 1])
def test_formats(size):
    numbers = (0, 5, -5, (1 << 63) - 1, 0x1234567890ABCDEF)
    cases = [(text, [n] if text != "%%" else []) for text in NUMERIC for n in numbers]
    cases += [(text, [value]) for text in POINTERS for value in (("at", 0), ("at", 16), 0, 5)]
    cases += [("%pB %ps %pS", [5, 6, 7]), ("x%s y%d %s", [("at", 0), 7, ("at", 6)]), ("%d %d", [1]), ("%d", [1, 2, 3])]
    compared = 0
    for text, arguments in cases:
        spec = snprintf(text, arguments, size)
        try:
            prog = load(spec)
        except VerifierError:
            continue
        vm = VM(spec)
        with prog:
            expected = prog.test_run().retval, bytes(prog["out"][0])
        assert (vm.run().retval, bytes(vm["out"][0])) == expected, (text, arguments)
        compared += 1
    assert compared > 150


@pytest.mark.parametrize("text", REFUSED)
def test_refused_formats(text):
    spec = snprintf(text, [5], 64)
    with pytest.raises(VerifierError):
        load(spec).close()
    assert VM(spec).run().r0 == (1 << 64) - 22
