"""Socket buffers that grow and shrink many times: when there is no memory for more, and what lies behind an end that moved."""

from __future__ import annotations

import random

import pytest

from pybpf import VM, Array, ProgramSpec, SyscallError, asm, load, u64
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel
ENGINES = ("interpreter", "translator")
MOST = 60
HEADERS = {
    0x0800: bytes([0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0x12, 0x34, 10, 0, 0, 1, 10, 0, 0, 2]),
    0x86DD: bytes([0x60, 0, 0, 0, 0, 40, 17, 64, *range(1, 33)]),
}
CALLS = {
    "head": ("r2 = {}\nr3 = 0\ncall bpf_skb_change_head", (0, 1, 4, 14, 20, 64, 65, 100, 200, 900, 3000)),
    "tail": ("r2 = {}\nr3 = 0\ncall bpf_skb_change_tail", (14, 15, 20, 30, 40, 60, 100, 1000, 4000, 9000, 16064)),
    "network": ("r2 = {}\nr3 = 0\nr4 = 0\ncall bpf_skb_adjust_room", (-100, -20, -8, -4, 4, 8, 20, 40, 1000, 4000)),
    "mac": ("r2 = {}\nr3 = 1\nr4 = 0\ncall bpf_skb_adjust_room", (-100, -20, -8, -4, 4, 8, 20, 40, 1000, 4000)),
    "proto": ("r2 = {}\nr3 = 0\ncall bpf_skb_change_proto", (0x0008, 0xDD86)),
    "push": ("r2 = 129\nr3 = {}\ncall bpf_skb_vlan_push", (5, 6, 7)),
    "pop": ("r2 = {}\ncall bpf_skb_vlan_pop", (0,)),
    "pull": ("r2 = {}\ncall bpf_skb_pull_data", (0, 14, 30, 100, 5000)),
}
MIXES = (("head",) * 6 + ("tail", "network"), tuple(CALLS), ("tail", "tail", "network", "mac"))


def program(calls: list[tuple[str, int]]) -> ProgramSpec:
    """Make the calls; the array has each answer and the length behind it."""
    text = ["r6 = r1"]
    for i, (name, argument) in enumerate(calls):
        text += ["r1 = r6", CALLS[name][0].format(argument), "r1 = map_val(seen) + 0", f"*(u32 *)(r1 + {8 * i}) = r0"]
        text += ["r2 = *(u32 *)(r6 + 0)", f"*(u32 *)(r1 + {8 * i + 4}) = r2"]
    seen = Array(u64[MOST], max_entries=1, name="seen")
    code = asm.assemble("\n".join([*text, "r0 = 0", "exit"]))
    return ProgramSpec(code, ProgType.SCHED_CLS, license="GPL", maps={"seen": seen})


def generated(rng: random.Random) -> tuple[list[tuple[str, int]], bytes]:
    mix, count = rng.choice(MIXES), rng.choice((4, 12, 30, MOST))
    calls = [(name, rng.choice(CALLS[name][1])) for name in rng.choices(mix, k=count)]
    protocol = rng.choice((0x0800, 0x0800, 0x86DD))
    rest = bytes(rng.randrange(1, 256) for _ in range(rng.choice((40, 60, 200, 1000, 3500))))
    return calls, bytes(12) + protocol.to_bytes(2, "big") + HEADERS[protocol] + rest


def outcome(machine, run, frame: bytes):
    try:
        data = bytes(run(data=frame).data)
    except SyscallError as error:
        return list(machine["seen"][0]), error.errno, b""
    return list(machine["seen"][0]), 0, data


def compare(calls, frame: bytes, note: object) -> None:
    spec = program(calls)
    with load(spec) as prog:
        answers, errno, data = outcome(prog, prog.test_run, frame)
    for engine in ENGINES:
        vm = VM(spec, engine=engine)
        ours = outcome(vm, vm.run, frame)
        assert ours[:2] == (answers, errno), (note, engine)
        # Behind the end in memory that is new lies anything in the kernel, and zeros here.
        assert ours[2] == bytes(b and a for a, b in zip(data, ours[2], strict=True)), (note, engine)


def test_generated(scale):
    for seed in range(150 * scale):
        compare(*generated(random.Random(seed)), seed)


@pytest.mark.parametrize("size", [14, 64, 200, 1000, 3700])
@pytest.mark.parametrize("step", [1, 14, 20, 64, 100, 200, 400, 1000])
def test_room_in_front(size, step):
    """Each time that the room in front is used up the buffer doubles, and 4 MiB is the largest."""
    compare([("head", step)] * MOST, bytes(size), None)
