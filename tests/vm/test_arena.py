"""Arenas beside the kernel's: what is allocated where, what loads, stores and atomics give, and what is left in memory."""

from __future__ import annotations

import random
import struct

import pytest

from pybpf import VM, Arena, Array, MapSpec, ProgramSpec, SpecError, VmFault, features, load
from pybpf.uapi import MapType

PAGES, PAGE = 6, 4096
STARTS = (1 << 44, (1 << 44) + 0x30000)
COUNT = 30
SIZES = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}


def address(rng: random.Random) -> str:
    """An offset into the arena, mostly of a page, sometimes beyond it or across two."""
    page = rng.randrange(-1, PAGES + 1) * PAGE
    return str(rng.choice((page, page, page + 8, page + PAGE - 4, page + PAGE - 1)))


def operation(rng: random.Random) -> list[str]:
    """One operation on the arena whose start is in r7; its answer is left in r8."""
    size = rng.choice((1, 2, 4, 8))
    kind = SIZES[size]
    off = rng.choice((0, 0, 0, -8, 8, -32768, 32767, 4096))
    value = rng.getrandbits(64) - (1 << 63)
    reach = [f"r6 = {address(rng)} ll", "r6 += r7", "r6 = addr_space_cast(r6, 0, 1)"]
    wide = rng.choice((4, 8))
    reg = "w" if wide == 4 else "r"
    u, bits = SIZES[wide], wide * 8
    page = f"r2 = {rng.choice((0, 1, 2, 3, 4, 5, 6, -1)) * PAGE + rng.choice((0, 0, 0, 8))} ll\nr2 += r7"
    where = rng.choice(("r2 = 0", "r2 = 0", page))
    count = rng.choice((0, 1, 1, 1, 2, 2, 3, 6, 7))
    flags, node = rng.choice((0, 0, 0, 0, 1)), rng.choice((-1, -1, -1, 0, 77))
    options = (
        [where, f"r3 = {count}", f"r4 = {node}", f"r5 = {flags}", "r1 = arena ll", "@bpf_arena_alloc_pages", "r8 = r0"],
        # Linux 6.18 takes pages in front of the arena too, and then gives them out: that is not followed.
        [page.replace("-", ""), f"r3 = {count}", "r1 = arena ll", "@bpf_arena_free_pages", "r8 = 1"],
        [page, f"r3 = {count % 3}", "r1 = arena ll", "@bpf_arena_reserve_pages", "r8 = r0"],
        [*reach, f"r8 = *({kind} *)(r6 {off:+})"],
        [*reach, f"r1 = {value} ll", f"*({kind} *)(r6 {off:+}) = r1", "r8 = 2"],
        [*reach, f"*({kind} *)(r6 {off:+}) = {value >> 33}", "r8 = 3"],
        [*reach, f"r8 = {value} ll", f"lock *({u} *)(r6 {off:+}) += {reg}8"],
        [*reach, f"r8 = {value} ll", f"{reg}8 = atomic_fetch_add(({u} *)(r6 {off:+}), {reg}8)"],
        [*reach, f"r8 = {value} ll", f"{reg}8 = xchg{'32' if wide == 4 else ''}_{bits}(r6 {off:+}, {reg}8)"],
        [
            *reach,
            "r0 = 0",
            f"r1 = {value} ll",
            f"{reg}0 = cmpxchg{'32' if wide == 4 else ''}_{bits}(r6 {off:+}, {reg}0, {reg}1)",
            "r8 = r0",
        ],
        [*reach, f"r6 += {rng.randrange(-PAGE, PAGE)}", "r8 = *(u64 *)(r6 + 0)"],
        [*reach, f"r1 = {value} ll", "r6 += r1", f"r6 -= r1\nr8 = *({kind} *)(r6 + 0)"],
        [*reach, f"r1 = {value} ll", "r6 ^= r1", "r8 = addr_space_cast(r6, 1, 0)"],
        [*reach, "r6 <<= 3", "r6 s>>= 2", "r8 = addr_space_cast(r6, 1, 0)"],
        [*reach, "*(u64 *)(r10 - 8) = r6", "r6 = 0", "r6 = *(u64 *)(r10 - 8)", f"r8 = *({kind} *)(r6 {off:+})"],
        [*reach, "r1 = r6", "r8 = *(u32 *)(r1 + 0)"],
        [f"r6 = {value} ll", "r8 = addr_space_cast(r6, 1, 0)"],
        ["r6 = 0", "r8 = addr_space_cast(r6, 1, 0)"],
    )
    return list(rng.choice(options))


def generated(program, rng: random.Random, start: int) -> ProgramSpec:
    text = ["r9 = map[id:seen][0]+0"]
    for n in range(COUNT):
        text += ["r7 = map[id:arena][0]+0", *operation(rng), f"*(u64 *)(r9 + {8 * n}) = r8"]
    maps = {"arena": Arena(PAGES, start, name="arena"), "seen": Array(8 * COUNT, max_entries=1, name="seen")}
    return program("\n".join([*text, "r0 = 0", "exit"]), **maps)


def words(view) -> list[str]:
    return [hex(n) for n in struct.unpack(f"{COUNT}Q", bytes(view[0]))]


@pytest.mark.kernel
@pytest.mark.parametrize("start", STARTS)
def test_generated_programs(program, start, scale):
    if not features.have_map_type(MapType.ARENA):
        pytest.skip("this kernel has no arenas (6.9)")
    for seed in range(60 * scale):
        spec = generated(program, random.Random(seed), start)
        vm = VM(spec)
        with load(spec) as prog:
            for _ in range(2):
                assert vm.run().retval == prog.test_run().retval == 0
                assert words(vm["seen"]) == words(prog["seen"]), seed
            assert bytes(vm["arena"].memory) == bytes(prog["arena"].memory), seed


ADD_ONE = """
    r2 = *(u64 *)(r1 + 0)
    r1 = arena ll
    r2 = addr_space_cast(r2, 0, 1)
    r3 = *(u64 *)(r2 + 8)
    r3 += 1
    *(u64 *)(r2 + 16) = r3
    w0 = 0
    exit
"""


def play(machine, run) -> list:
    """User space writes to a page, the program writes beside it, and to one where nobody was."""
    view = machine["arena"]
    seen = [bytes(view.memory[:8])]
    for page in (1, 3):
        if page == 1:
            struct.pack_into("=Q", view.memory, page * PAGE + 8, 41)
        run(ctx=struct.pack("=Q", view.address + page * PAGE))
        seen.append(bytes(view.memory[page * PAGE : page * PAGE + 24]))
    return seen


@pytest.mark.kernel
def test_both_sides_write(program):
    if not features.have_map_type(MapType.ARENA):
        pytest.skip("this kernel has no arenas (6.9)")
    spec = program(ADD_ONE, arena=Arena(4, name="arena", contents=[(0, b"in the beginning")]))
    with load(spec) as prog:
        expected = play(prog, prog.test_run)
    vm = VM(spec)
    assert play(vm, vm.run) == expected == [b"in the b", struct.pack("=QQQ", 0, 41, 42), bytes(24)]


def test_only_pointers_into_the_arena_read_as_zero(program):
    arena = Arena(2, name="arena")
    without = "r1 = arena ll\nr2 = 0\nr0 = *(u64 *)(r2 + 0)\nexit"
    other = "r2 = addr_space_cast(r1, 0, 1)\nr1 = arena ll\nr2 = 8\nr0 = *(u64 *)(r2 + 0)\nexit"
    for text in (without, other):
        with pytest.raises(VmFault, match="NULL pointer"):
            VM(program(text, arena=arena)).run(ctx=bytes(8))
    with pytest.raises(VmFault, match="in a program without an arena"):
        VM(program("r2 = addr_space_cast(r1, 0, 1)\nr0 = 0\nexit")).run(ctx=bytes(8))
    with pytest.raises(VmFault, match="immediate 131072 has no meaning"):
        VM(program("r2 = addr_space_cast(r1, 2, 0)\nr1 = arena ll\nr0 = 0\nexit", arena=arena)).run(ctx=bytes(8))


def test_pointers_given_to_functions(program):
    text = """
        r1 = arena ll
        r2 = 0
        r3 = 1
        r4 = -1
        r5 = 0
        @bpf_arena_alloc_pages
        r1 = addr_space_cast(r0, 0, 1)
        call fill
        r6 = map[id:arena][0]+0
        r6 = addr_space_cast(r6, 0, 1)
        r0 = *(u32 *)(r6 + 40)
        exit
    fill:
        *(u32 *)(r1 + 40) = 77
        r0 = 0
        exit
    """
    text = text.replace("call fill", "call pc+5").replace("    fill:\n", "")
    assert VM(program(text, arena=Arena(2, name="arena"))).run().retval == 77


@pytest.mark.parametrize(
    ("pages", "address", "message"),
    [
        (0, 0, "0 pages: expected 1 to"),
        (1, 5, "expected the address of a page"),
        (2, (1 << 32) - PAGE, "cross a multiple of 4 GiB"),
    ],
)
def test_what_cannot_be_an_arena(program, pages, address, message):
    with pytest.raises(SpecError, match=message):
        VM(program(ADD_ONE, arena=MapSpec(MapType.ARENA, 0, 0, pages, 1 << 10, name="arena", map_extra=address)))
