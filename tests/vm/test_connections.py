"""Tracked connections: what programs that make, find and change them are told by the kernel, they are told offline."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import random
import subprocess

import pytest

from pybpf import VM, Array, ProgramSpec, asm, load, u64
from pybpf.uapi import ProgType
from pybpf.vm import Connection

ENGINES = ("interpreter", "translator")
ROUNDS = 6
KFUNC = 7000  # call instructions of this number and above are of kernel functions, in order
CLONE_NEWNET = 0x40000000
TUPLE, OPTIONS = -64, -24  # places on the stack
ERROR, DIRECTION = OPTIONS + 4, OPTIONS + 9


def program(lines: list[str]) -> ProgramSpec:
    """Assembly in which `@NAME` calls a kernel function."""
    names: list[str] = []
    text = []
    for line in lines:
        if line.startswith("@"):
            text.append(f"call {KFUNC + len(names)}")
            names.append(line[1:])
        else:
            text.append(line)
    code = [
        insn.replace(src=2, imm=0, symbol=names[insn.imm - KFUNC])
        if insn.opcode == 0x85 and insn.imm >= KFUNC
        else insn
        for insn in asm.assemble("\n".join(text))
    ]
    maps = {"seen": Array(u64[2 * ROUNDS], max_entries=1, name="seen")}
    return ProgramSpec(code, ProgType.SCHED_CLS, license="GPL", maps=maps)


def arguments(rng: random.Random) -> list[str]:
    """A tuple of addresses and ports of which there are few, and options; some of them wrong."""
    version = rng.choice((4, 4, 6))
    size = rng.choice((4, 8, 20)) if rng.random() < 0.06 else {4: 12, 6: 36}[version]
    words = [rng.choice((1, 2)) for _ in range(2)] + ([0x350001] if version == 4 else [1]) + [rng.choice((1, 1, 2))] * 6
    text = [f"*(u32 *)(r10 - {-TUPLE - 4 * i}) = {word}" for i, word in enumerate(words)]
    netns, zone = rng.choice((*(-1,) * 12, 0, 5, -2)), rng.choice((*(0,) * 8, 1))
    protocol = rng.choice((6, 17, 17, 17, 1, 0)) if rng.random() < 0.2 else rng.choice((6, 17))
    options = (netns, 99, protocol | zone << 16, rng.choice((*(0,) * 9, 0x100)))
    text += [f"*(u32 *)(r10 - {-OPTIONS - 4 * i}) = {word}" for i, word in enumerate(options)]
    text += ["r1 = r6", "r2 = r10", f"r2 += {TUPLE}", f"r3 = {size}", "r4 = r10", f"r4 += {OPTIONS}"]
    return [*text, f"r5 = {rng.choice((*(16,) * 8, 12, 12, 8))}"]


def generated(rng: random.Random) -> ProgramSpec:
    """Connections are made, looked up and changed; of each round four numbers are kept."""
    text = ["r6 = r1", "r7 = map_val(seen) + 0"]
    for n in range(ROUNDS):
        places = [f"*(u32 *)(r7 + {16 * n + 4 * i})" for i in range(4)]
        new = rng.random() < 0.3
        text += [*arguments(rng), f"@bpf_skb_ct_{'alloc' if new else 'lookup'}", "r8 = r0"]
        text += [f"r1 = *(u32 *)(r10 - {-ERROR})", f"{places[0]} = r1"]
        text += [f"r1 = *(u8 *)(r10 - {-DIRECTION})", f"{places[1]} = r1", f"if r8 == 0 goto none{n}"]
        if rng.random() < 0.6:
            status = rng.choice((0, 2, 4, 6, 8, 10, 12, 14, 1, 9, 128))
            text += ["r1 = r8", f"r2 = {status}", f"@bpf_ct_{'set' if new else 'change'}_status", f"{places[2]} = r0"]
        if rng.random() < 0.6:
            text += ["r1 = r8", "r2 = 30000", f"@bpf_ct_{'set' if new else 'change'}_timeout"]
        if new:
            text += ["r1 = r8", "@bpf_ct_insert_entry", "r8 = r0", f"{places[3]} = 1", f"if r8 == 0 goto none{n}"]
            text += [f"{places[3]} = 2"]
        text += ["r1 = r8", "@bpf_ct_release", f"none{n}:"]
    return program([*text, "r0 = 0", "exit"])


def in_kernel(seeds: range, out) -> None:
    """In a namespace for each seed, in which connections stay: what two programs after one another are told."""
    libc = ctypes.CDLL(None, use_errno=True)
    answers = []
    for seed in seeds:
        if libc.unshare(CLONE_NEWNET):
            out.put(os.strerror(ctypes.get_errno()))
            return
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        rng = random.Random(seed)
        for _ in range(2):
            with load(generated(rng)) as prog:
                prog.test_run(data=bytes(64))
                answers.append(list(prog["seen"][0]))
    out.put(answers)


def knows_connections() -> bool:
    try:
        with open("/proc/kallsyms") as symbols:
            return any("bpf_skb_ct_lookup" in line for line in symbols)
    except OSError:
        return False


@pytest.mark.kernel
@pytest.mark.skipif(not knows_connections(), reason="this kernel does not track connections (CONFIG_NF_CONNTRACK)")
def test_generated(scale):
    seeds = range(30 * scale)
    out = multiprocessing.get_context("fork").Queue()
    child = multiprocessing.get_context("fork").Process(target=in_kernel, args=(seeds, out))
    child.start()
    answers = out.get(timeout=120 * scale)
    child.join()
    if isinstance(answers, str):
        pytest.skip(f"no network namespace: {answers}")
    for engine in ENGINES:
        expected = iter(answers)
        for seed in seeds:
            rng, connections = random.Random(seed), []
            for turn in range(2):
                vm = VM(generated(rng), engine=engine)
                vm.env.connections = connections
                vm.run(data=bytes(64))
                assert list(vm["seen"][0]) == next(expected), (seed, turn, engine)


def test_a_connection_of_the_test():
    """It is found by what it says and by what answers; the program gives it a flag."""
    known = Connection("10.0.0.1", "10.0.0.2", sport=1, dport=53, protocol=17)
    words = [int.from_bytes(known.reply[2][i : i + 4], "little", signed=True) for i in range(0, 12, 4)]
    text = ["r6 = r1", *(f"*(u32 *)(r10 - {-TUPLE - 4 * i}) = {word}" for i, word in enumerate(words))]
    text += [f"*(u32 *)(r10 - {-OPTIONS - 4 * i}) = {word}" for i, word in enumerate((-1, 0, 17, 0))]
    text += ["r1 = r6", "r2 = r10", f"r2 += {TUPLE}", "r3 = 12", "r4 = r10", f"r4 += {OPTIONS}", "r5 = 16"]
    text += ["@bpf_skb_ct_lookup", "if r0 == 0 goto none", "r7 = r0", "r1 = r7", "r2 = 10", "@bpf_ct_change_status"]
    text += ["r1 = r7", "@bpf_ct_release", f"r0 = *(u8 *)(r10 - {-DIRECTION})", "exit", "none:", "r0 = 9", "exit"]
    for engine in ENGINES:
        vm = VM(program(text), engine=engine)
        assert vm.run(data=bytes(64)).retval == 9
        vm.env.connections = [known]
        assert vm.run(data=bytes(64)).retval == 1
        assert known.status == 10
        known.status = 8
