"""Generated programs, run by the kernel and by both engines: return value, packet and maps must be equal."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybpf import VM, ProgramSpec, SyscallError, VerifierError, load, load_collection
from pybpf.asm import Insn
from pybpf.errors import BpfError
from pybpf.uapi import MapType, ProgType

pytestmark = pytest.mark.kernel
ENGINES = ("interpreter", "translator")
FRAME = (
    bytes(6) + bytes([2, 0, 0, 0, 0, 9]) + b"\x08\x00" + bytes([0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17]) + bytes(range(50))
)


def compare(spec, frame: bytes = FRAME, maps: bool = False) -> bool:
    """False when the verifier does not take the program; AssertionError on any difference."""
    try:
        prog = load(spec)
    except VerifierError:
        return False
    with prog:
        try:
            kernel = prog.test_run(data=frame)
        except SyscallError as error:
            kernel = error
        contents = dict(prog["m"].items()) if maps else None
    for engine in ENGINES:
        vm = VM(spec, engine=engine)
        try:
            offline = vm.run(data=frame)
        except BpfError as error:
            offline = error
        if isinstance(kernel, SyscallError) or isinstance(offline, BpfError):
            assert isinstance(kernel, SyscallError), offline
            assert isinstance(offline, BpfError), kernel
            continue
        assert (hex(offline.retval), offline.data.hex()) == (hex(kernel.retval), kernel.data.hex()), engine
        if maps:
            assert dict(vm["m"].items()) == contents, engine
    return True


def run_many(make, count: int, least: float = 0.9, **options) -> None:
    taken = 0
    for seed in range(count):
        try:
            taken += compare(make(random.Random(seed)), **options)
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise
    assert taken >= count * least, f"the verifier took {taken} of {count} generated programs"


def test_arithmetic_jumps_memory_atomics(generate, scale):
    run_many(lambda rng: generate.program(generate.Pick(rng)), 1000 * scale)


def test_large_programs(generate, scale):
    run_many(lambda rng: generate.program(generate.Pick(rng), 120), 20 * scale)


def test_local_calls(generate, scale):
    run_many(lambda rng: generate.with_calls(generate.Pick(rng)), 300 * scale)


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.ARRAY, MapType.LPM_TRIE, MapType.QUEUE, MapType.STACK], ids=str)
def test_maps(generate, scale, kind):
    keyed = kind not in (MapType.QUEUE, MapType.STACK)
    run_many(lambda rng: generate.with_map(generate.Pick(rng), kind), 200 * scale, maps=keyed)


@pytest.mark.parametrize("entries", [1, 2, 3, 4, 8, 16])
@pytest.mark.parametrize("kind", [MapType.LRU_HASH, MapType.LRU_PERCPU_HASH], ids=str)
def test_lru_evicts_what_the_kernel_evicts(generate, scale, kind, entries):
    """On one CPU, with the kernel's number of CPUs: its lists are shared out by that number."""
    from pybpf.maps.live import possible_cpus

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        for seed in range(25 * scale):
            spec = generate.with_lru(generate.Pick(random.Random(seed)), kind, entries)
            with load(spec) as prog:
                expected = prog.test_run(data=FRAME).retval, set(prog["m"])
            vm = VM(spec, cpus=possible_cpus(), cpu=min(before))
            assert (vm.run(data=FRAME).retval, set(vm["m"])) == expected, seed
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("prog_type", [ProgType.XDP, ProgType.SCHED_CLS, ProgType.LWT_XMIT], ids=str)
def test_packet_rewriting(generate, scale, prog_type):
    run_many(lambda rng: generate.with_packet(generate.Pick(rng), prog_type), 150 * scale)


@pytest.mark.parametrize("prog_type", [ProgType.XDP, ProgType.SCHED_CLS], ids=str)
def test_packet_helpers(generate, scale, prog_type, frame):
    run_many(lambda rng: generate.with_helpers(generate.Pick(rng), prog_type), 100 * scale, frame=frame)


@pytest.mark.parametrize("kind", ["memory", "callbacks", "deep_calls"])
def test_wider(wider, generate, scale, kind):
    run_many(lambda rng: getattr(wider, kind)(generate.Pick(rng)), 150 * scale, least=0.5, maps=True)


def with_tails(programs, engine: str | None = None):
    """A collection or machine in which `programs` stand in the array at 0, 1, ..."""
    made = load_collection(*programs) if engine is None else VM(*programs, engine=engine)
    for i, spec in enumerate(programs):
        made["programs"][i] = made[spec] if engine is None else spec
    return made


def test_tail_calls(wider, generate, scale):
    taken = 0
    for seed in range(100 * scale):
        programs = wider.tail_calls(generate.Pick(random.Random(seed)))
        try:
            objects = with_tails(programs)
        except VerifierError:
            continue
        with objects:
            expected = objects[programs[0]].test_run(data=FRAME).retval, dict(objects["m"].items())
        for engine in ENGINES:
            vm = with_tails(programs, engine)
            assert (vm.run(data=FRAME).retval, dict(vm["m"].items())) == expected, (seed, engine)
        taken += 1
    assert taken >= 90 * scale


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_shrinking(generate, data):
    """The same grammar with hypothesis choosing, so that a difference shrinks to the few instructions that show it."""

    class Drawn(generate.Pick):
        def number(self, low: int, high: int) -> int:
            return data.draw(st.integers(low, high))

    compare(generate.program(Drawn(None), data.draw(st.integers(1, 12))))


NUMBERS = (b"12", b"-5", b" 7", b"0x1f", b"0777", b"12abc", b"-", b"+3", b"99999999999999", b"0x", b"08", b"zz", b"0xg")


@pytest.mark.parametrize("helper", [105, 106], ids=["strtol", "strtoul"])
@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_in_text(text, helper):
    raw = text.ljust(16, b"\0")
    for base in (0, 8, 10, 16, 2):
        code = [
            Insn.ld_imm64(1, int.from_bytes(raw[:8], "little")),
            Insn(0x7B, 10, 1, -16),
            Insn.ld_imm64(1, int.from_bytes(raw[8:], "little")),
            Insn(0x7B, 10, 1, -8),
            Insn(0x7A, 10, 0, -24),
            Insn(0xBF, 1, 10),
            Insn(0x07, 1, imm=-16),
            Insn(0xB7, 2, imm=len(text)),
            Insn(0xB7, 3, imm=base),
            Insn(0xBF, 4, 10),
            Insn(0x07, 4, imm=-24),
            Insn(0x85, imm=helper),
            Insn(0x27, 0, imm=31),
            Insn(0x79, 1, 10, -24),
            Insn(0xAF, 0, 1),
            Insn(0x95),
        ]
        assert compare(ProgramSpec(code, ProgType.SCHED_CLS))


FORMATS = (
    (b"%d", (5,)),
    (b"%5d|%-5d|%05d", (1, 2, 3)),
    (b"%lld %llu %llx", (-5, -5, -5)),
    (b"%x %X %i", (-1, -1, -1)),
    (b"%3c|%c", (65, 66)),
    (b"%+d % d %+05d", (5, 5, 5)),
    (b"%s|%5s", (0, 0)),
    (b"100%%", ()),
    *((bad, (1, 2, 3)) for bad in (b"%", b"%q", b"%.3d", b"%#x", b"%hd", b"%l", b"a\x01", b"%d %d %d %d")),
)


@pytest.mark.parametrize(("text", "args"), FORMATS, ids=[str(text) for text, _ in FORMATS])
def test_lengths_of_formatted_output(text, args):
    raw = (text + b"\0").ljust(24, b"\0")
    code = []
    for at in range(0, 24, 8):
        word = int.from_bytes(raw[at : at + 8], "little")
        code += [Insn.ld_imm64(1, word), Insn(0x7B, 10, 1, -24 + at)]
    code += [Insn(0xBF, 1, 10), Insn(0x07, 1, imm=-24), Insn(0xB7, 2, imm=len(text) + 1)]
    code += [Insn.ld_imm64(3 + i, arg & (1 << 64) - 1) for i, arg in enumerate(args)]
    assert compare(ProgramSpec([*code, Insn(0x85, imm=6), Insn(0x95)], ProgType.SCHED_CLS))
