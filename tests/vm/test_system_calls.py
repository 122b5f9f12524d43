"""bpf(2) from programs: the commands on maps that `bpf_sys_bpf` lets them give, answered as by the kernel."""

from __future__ import annotations

import random
from errno import EBADF, EINVAL

import pytest

from pybpf import VM, Array, NotSupportedError, ProgramSpec, asm, load, u64
from pybpf.maps.live import possible_cpus
from pybpf.uapi import Cmd, MapType, ProgType

ENGINES = ("interpreter", "translator")
COUNT = 24
ATTR, KEY, VALUE = -96, -200, -256  # places on the stack
KINDS = (
    (MapType.HASH, (4, 0)),
    (MapType.HASH, (8, 1)),
    (MapType.HASH, (8, 1 << 3)),
    (MapType.ARRAY, (4, 0)),
    (MapType.PERCPU_HASH, (4, 0)),
    (MapType.PERCPU_ARRAY, (4, 0)),
    (MapType.LRU_HASH, (4, 0)),
    (MapType.LPM_TRIE, (8, 1)),
)
"""Types of maps with the size of a key and the flags."""
FLAGS = (0, 0, 0, 1, 2, 3, 4, 8)


def call(cmd: Cmd, fields: dict[int, str | int], size: int = 72) -> list[str]:
    """Lines that zero the attributes, set fields of 4 bytes (of 8, where the value is a register), and make the call."""
    out = [f"*(u64 *)(r10 - {-ATTR - i}) = 0" for i in range(0, 72, 8)]
    for at, value in fields.items():
        kind = "u64" if isinstance(value, str) and value != "r7" else "u32"
        out.append(f"*({kind} *)(r10 - {-ATTR - at}) = {value}")
    return [*out, f"r1 = {int(cmd)}", "r2 = r10", f"r2 += {ATTR}", f"r3 = {size}", "call bpf_sys_bpf"]


def generated(rng: random.Random) -> ProgramSpec:
    """A map is made, changed, frozen and closed; each answer is kept."""
    kind, sizes = rng.choice(KINDS)
    create = {0: int(kind), 4: rng.choice((sizes[0],) * 5 + (0,)), 8: 8, 12: rng.choice((1, 2, 3, 3, 0)), 16: sizes[1]}
    text = ["r6 = 0", *call(Cmd.MAP_CREATE, create)]
    text += ["r7 = r0", "if r0 s< 1 goto made", "r0 = 1", "made:", *keep(0)]
    for n in range(1, COUNT):
        text += [
            f"*(u64 *)(r10 - {-KEY}) = {rng.randrange(4)}",
            "r8 = r10",
            f"r8 += {KEY}",
            "r9 = r10",
            f"r9 += {VALUE}",
        ]
        text += [f"*(u64 *)(r10 - {-VALUE - i}) = {rng.randrange(9)}" for i in range(0, 32, 8)]
        what = rng.choice(("update",) * 5 + ("delete", "delete", "freeze", "close", "other", "by id"))
        fd = rng.choice(("r7",) * 8 + (12345,))
        if what == "update":
            flags = rng.choice(FLAGS)
            text += call(Cmd.MAP_UPDATE_ELEM, {0: fd, 8: rng.choice(("r8",) * 6 + (0,)), 16: "r9", 24: flags})
        elif what == "delete":
            text += call(Cmd.MAP_DELETE_ELEM, {0: fd, 8: "r8", 24: rng.choice((0, 0, 0, 1))})
        elif what == "freeze":
            text += call(Cmd.MAP_FREEZE, {0: fd, 4: rng.choice((0, 0, 7))})
        elif what == "close" and rng.random() < 0.3:
            text += [f"r1 = {fd}", "call bpf_sys_close"]
        elif what == "by id":
            text += call(Cmd.MAP_GET_FD_BY_ID, {0: 0x7FFFFFFF})
        else:
            text += call(
                rng.choice((Cmd.MAP_LOOKUP_ELEM, Cmd.MAP_GET_NEXT_KEY, Cmd.PROG_ATTACH, Cmd.MAP_DELETE_BATCH)),
                {0: "r7"},
            )
        text += keep(n)
    text += ["if r7 s< 1 goto end", "r1 = r7", "call bpf_sys_close", "end:", "r0 = 0", "exit"]
    seen = Array(u64[COUNT], max_entries=1, name="seen")
    return ProgramSpec(asm.assemble("\n".join(text)), ProgType.SYSCALL, license="GPL", flags=16, maps={"seen": seen})


def keep(n: int) -> list[str]:
    return ["r1 = map_val(seen) + 0", f"*(u64 *)(r1 + {8 * n}) = r0"]


@pytest.mark.kernel
def test_generated(scale):
    answers = set()
    for seed in range(60 * scale):
        spec = generated(random.Random(seed))
        with load(spec) as prog:
            prog.test_run(ctx=b"")
            expected = list(prog["seen"][0])
        for engine in ENGINES:
            vm = VM(spec, engine=engine, cpus=possible_cpus())
            vm.run(ctx=b"")
            assert list(vm["seen"][0]) == expected, (seed, engine)
            assert not vm.descriptors
        answers.update(expected)
    assert len(answers) > 5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_map_of_the_test_by_its_id(engine):
    counters = Array(u64, max_entries=2, name="counters")
    open_it = call(Cmd.MAP_GET_FD_BY_ID, {0: "r7"})
    update = call(Cmd.MAP_UPDATE_ELEM, {0: "r7", 8: "r8", 16: "r9"})
    text = ["r7 = *(u32 *)(r1 + 0)", *open_it, "r7 = r0", "if r0 s< 0 goto end"]
    text += [f"*(u64 *)(r10 - {-KEY}) = 1", "r8 = r10", f"r8 += {KEY}", "r9 = r10", f"r9 += {VALUE}"]
    text += [
        f"*(u64 *)(r10 - {-VALUE}) = 42",
        *update,
        "r6 = r0",
        "r1 = r7",
        "call bpf_sys_close",
        "r0 = r6",
        "end:",
        "exit",
    ]
    spec = ProgramSpec(
        asm.assemble("\n".join(text)), ProgType.SYSCALL, license="GPL", flags=16, maps={"counters": counters}
    )
    vm = VM(spec, engine=engine)
    assert vm.run(ctx=vm[counters].id.to_bytes(4, "little")).r0 == 0
    assert vm[counters][1] == 42
    vm[counters].freeze()
    assert vm.run(ctx=vm[counters].id.to_bytes(4, "little")).retval == -1 & 0xFFFFFFFF  # EPERM
    assert vm.run(ctx=(99).to_bytes(4, "little")).retval == -2 & 0xFFFFFFFF  # ENOENT


def run(lines: list[str]):
    spec = ProgramSpec(asm.assemble("\n".join([*lines, "exit"])), ProgType.SYSCALL, license="GPL", flags=16)
    return VM(spec).run(ctx=b"").retval


def test_commands_of_the_kernel_alone():
    with pytest.raises(NotSupportedError) as caught:
        run(call(Cmd.PROG_LOAD, {}))
    assert "bpf_sys_bpf(PROG_LOAD) in the offline machine is not supported here" in str(caught.value)
    assert run(call(Cmd.OBJ_PIN, {})) == -EINVAL & 0xFFFFFFFF
    assert run(["r1 = 9", "call bpf_sys_close"]) == -EBADF & 0xFFFFFFFF
