"""The same operations on a map of the kernel and of the machine, from user space and from a program: every answer, every
errno and what the map holds in the end must be equal.
"""

from __future__ import annotations

import os
import random

import pytest

from pybpf import VM, Array, MapSpec, ProgramSpec, Struct, SyscallError, VerifierError, asm, load, u32, u64
from pybpf.features import have_map_type
from pybpf.maps.live import possible_cpus
from pybpf.uapi import MapType, ProgType, bpf_spin_lock

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def on_one_cpu():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    yield
    os.sched_setaffinity(0, allowed)


FRAME = bytes(64)
FLAGS = (0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 1 << 32)
NO_PREALLOC = 1


class Locked(Struct):
    lock: bpf_spin_lock
    number: u32


SPECS = {
    "hash with a lock": MapSpec(MapType.HASH, 4, 8, 3, name="m", key=u32, value=Locked),
    "array with a lock": MapSpec(MapType.ARRAY, 4, 8, 3, name="m", key=u32, value=Locked),
    "hash": MapSpec(MapType.HASH, 4, 8, 3, name="m"),
    "hash without memory of its own": MapSpec(MapType.HASH, 4, 8, 3, NO_PREALLOC, name="m"),
    "resizable hash": MapSpec(MapType.RHASH, 4, 8, 3, NO_PREALLOC, name="m"),
    "hash of one": MapSpec(MapType.HASH, 4, 8, 1, name="m"),
    "lru": MapSpec(MapType.LRU_HASH, 4, 8, 1, name="m"),
    "array": MapSpec(MapType.ARRAY, 4, 8, 3, name="m"),
    "per-cpu hash": MapSpec(MapType.PERCPU_HASH, 4, 8, 3, name="m"),
    "per-cpu lru": MapSpec(MapType.LRU_PERCPU_HASH, 4, 8, 1, name="m"),
    "per-cpu array": MapSpec(MapType.PERCPU_ARRAY, 4, 8, 3, name="m"),
    "trie": MapSpec(MapType.LPM_TRIE, 8, 8, 3, NO_PREALLOC, name="m"),
    "queue": MapSpec(MapType.QUEUE, 0, 8, 3, name="m"),
    "stack": MapSpec(MapType.STACK, 0, 8, 3, name="m"),
    "bloom": MapSpec(MapType.BLOOM_FILTER, 0, 8, 1000, name="m"),
    "devmap": MapSpec(MapType.DEVMAP, 4, 4, 3, name="m"),
    "devmap hash": MapSpec(MapType.DEVMAP_HASH, 4, 4, 2, name="m"),
    "cpumap": MapSpec(MapType.CPUMAP, 4, 4, 2, name="m"),
}


def keys_of(spec: MapSpec) -> list[bytes]:
    if spec.map_type == MapType.LPM_TRIE:
        texts = ((0, 0), (8, 10), (16, 10), (24, 0x000A0A0A), (32, 0x0A0A0A0A), (32, 0x0B0A0A0A), (33, 10), (9, 0x800A))
        return [length.to_bytes(4, "little") + address.to_bytes(4, "little") for length, address in texts]
    return [k.to_bytes(spec.key_size, "little") for k in (0, 1, 2, 3, 4, 0xFFFFFFFF)] if spec.key_size else [b""]


def errno_of(call):
    try:
        return call()
    except SyscallError as error:
        return -error.errno


def from_user(view, spec: MapSpec, rng: random.Random, cpus: int) -> list:
    """Random operations through the bytes below a view, and everything that they answered."""
    out = []
    raw, keys = view.raw, keys_of(spec)
    per_cpu = spec.map_type in (5, 6, 10)
    small = spec.map_type in (MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP)
    for _ in range(30):
        key, flags = rng.choice(keys), rng.choice(FLAGS)
        value = (
            rng.choice((0, 1, 1)).to_bytes(4, "little")
            if small
            else b"".join(
                (rng.randrange(4) * (1 + (1 << 32))).to_bytes(8, "little") for _ in range(cpus if per_cpu else 1)
            )
        )
        what = rng.choice(("update", "update", "lookup", "delete", "take"))
        if spec.map_type == MapType.BLOOM_FILTER and what != "update":
            out.append((what, value, errno_of(lambda v=value: raw.contains(v))))
        elif what == "update":
            out.append((what, key, value, flags, -abs(errno_of(lambda k=key, v=value, f=flags: raw.update(k, v, f)))))
        elif what == "delete":
            out.append((what, key, -abs(errno_of(lambda k=key: raw.delete(k)))))
        elif what == "lookup":
            out.append((what, key, errno_of(lambda k=key: raw.lookup(k))))
        else:
            out.append((what, key, errno_of(lambda k=key: raw.take(k))))
    return out


def held(view, spec: MapSpec):
    """What a map holds; None where it cannot be listed."""
    if not spec.key_size:
        return None
    return sorted((bytes(k), bytes(v)) for k, v in split(view.raw.batches(), spec, view._value.size))


def split(chunks, spec, size):
    for count, keys, values in chunks:
        for i in range(count):
            yield keys[i * spec.key_size : (i + 1) * spec.key_size], values[i * size : (i + 1) * size]


def needs(spec: MapSpec) -> None:
    if not have_map_type(spec.map_type):
        pytest.skip(f"this kernel has no map type {MapType(spec.map_type).name}")


@pytest.mark.parametrize("kind", SPECS)
def test_from_user_space(kind, scale):
    spec = SPECS[kind]
    needs(spec)
    cpus = possible_cpus()
    prog_type = ProgType.XDP if kind in ("devmap", "devmap hash", "cpumap") else ProgType.SCHED_CLS
    program = ProgramSpec(asm.assemble("r1 = m ll\nr0 = 0\nexit"), prog_type, maps={"m": spec})
    for seed in range(10 * scale):
        with load(program) as prog:
            expected = from_user(prog["m"], spec, random.Random(seed), cpus)
            left = held(prog["m"], spec)
        vm = VM(program, cpus=cpus)
        found = from_user(vm["m"], spec, random.Random(seed), cpus)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours == theirs, (seed, expected[: expected.index(theirs)])
        assert held(vm["m"], spec) == left, seed


def program_of(spec: MapSpec, rng: random.Random) -> ProgramSpec:
    """A program of random operations on `m`; the answers go to the array `out`."""
    keys = keys_of(spec)
    percpu = spec.map_type in (5, 6, 10)
    text = ["r6 = 0"]
    count = 24
    for n in range(count):
        if spec.key_size:
            ops = ["lookup", "update", "update", "delete"] + ["percpu"] * percpu
        else:
            ops = ["push", "push", "peek"] + ["pop"] * (spec.map_type != MapType.BLOOM_FILTER)
        op = rng.choice(ops)
        key = rng.choice(keys)
        flags, value = rng.choice(FLAGS), rng.randrange(4) * (1 + (1 << 32))
        for i in range(0, len(key), 4):
            text.append(f"*(u32 *)(r10 - {16 - i}) = {int.from_bytes(key[i : i + 4], 'little', signed=True)}")
        text += [f"r1 = {value} ll", "*(u64 *)(r10 - 8) = r1", "r1 = m ll", "r2 = r10"]
        value_at = ["r3 = r10", "r3 += -8"]
        if op in ("lookup", "percpu"):
            text += ["r2 += -16", f"r3 = {rng.choice((0, 0, 1, 4, 100000))}"]
            text += [f"call bpf_map_lookup_{'percpu_' * (op == 'percpu')}elem", "r7 = -1"]
            text += [f"if r0 == 0 goto n{n}", "r7 = *(u32 *)(r0 + 4)", f"n{n}:"]
        elif op == "update":
            text += ["r2 += -16", *value_at, f"r4 = {flags} ll", "call bpf_map_update_elem", "r7 = r0"]
        elif op == "delete":
            text += ["r2 += -16", "call bpf_map_delete_elem", "r7 = r0"]
        elif op == "push":
            text += ["r2 += -8", f"r3 = {flags} ll", "call bpf_map_push_elem", "r7 = r0"]
        else:
            text += ["r2 += -8", f"call bpf_map_{op}_elem", "r7 = r0"]
            text += ["r7 <<= 32", "r1 = *(u64 *)(r10 - 8)", "r7 ^= r1"]
        text += [f"*(u32 *)(r10 - 16) = {n}", "*(u64 *)(r10 - 8) = r7", "r1 = out ll", "r2 = r10", "r2 += -16"]
        text += ["r3 = r10", "r3 += -8", "r4 = 0", "call bpf_map_update_elem"]
    text += ["r0 = 0", "exit"]
    out = Array(u64, max_entries=count, name="out")
    return ProgramSpec(asm.assemble("\n".join(text)), ProgType.SCHED_CLS, maps={"m": spec, "out": out})


@pytest.mark.parametrize("kind", [k for k in SPECS if k not in ("devmap", "devmap hash", "cpumap")])
def test_from_programs(kind, scale):
    spec = SPECS[kind]
    needs(spec)
    cpus = possible_cpus()
    taken = 0
    for seed in range(10 * scale):
        program = program_of(spec, random.Random(seed))
        try:
            prog = load(program)
        except VerifierError:  # a helper that this type of map has not
            continue
        with prog:
            for _ in range(2):
                prog.test_run(data=FRAME)
            expected = dict(prog["out"].items())
            left = None if spec.map_type in (5, 6, 10) else held(prog["m"], spec)  # it ran on some CPU
        taken += 1
        for engine in ("interpreter", "translator"):
            vm = VM(program, engine=engine, cpus=cpus)
            for _ in range(2):
                vm.run(data=FRAME)
            assert dict(vm["out"].items()) == expected, seed
            if left is not None:
                assert held(vm["m"], spec) == left, seed
    assert taken


HELD = """
    *(u32 *)(r10 - 4) = 1
    *(u64 *)(r10 - 16) = 5
    call update
    r1 = m ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto absent
    r6 = r0
    *(u64 *)(r10 - 16) = 7
    call update
    r0 = *(u64 *)(r6 + 0)
    exit
absent:
    r0 = 0
    exit
"""


@pytest.mark.parametrize("kind", ["hash", "hash without memory of its own", "resizable hash", "array"])
def test_value_held_over_an_update(kind):
    """Whether a pointer from before shows the new value: hashes put a new element in the old one's place."""
    spec = SPECS[kind]
    needs(spec)
    update = "r1 = m ll\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_map_update_elem"
    code = HELD.replace("call update", update)
    program = ProgramSpec(asm.assemble(code), ProgType.SCHED_CLS, maps={"m": spec})
    with load(program) as prog:
        expected = prog.test_run(data=FRAME).retval
    for engine in ("interpreter", "translator"):
        assert VM(program, engine=engine).run(data=FRAME).retval == expected


@pytest.mark.parametrize("kind", ["array", "trie", "devmap hash", "hash of one"])
def test_order_of_keys(kind, scale):
    """Where the kernel's order does not depend on chance, it is the machine's."""
    spec = SPECS[kind]
    if kind == "trie":
        spec = MapSpec(MapType.LPM_TRIE, 8, 8, 64, NO_PREALLOC, name="m")
    elif kind == "devmap hash":
        spec = MapSpec(MapType.DEVMAP_HASH, 4, 4, 10, name="m")
    program = ProgramSpec(asm.assemble("r1 = m ll\nr0 = 0\nexit"), ProgType.XDP, maps={"m": spec})
    for seed in range(20 * scale):
        rng = random.Random(seed)
        with load(program) as prog:
            live, offline = prog["m"], VM(program)["m"]
            for _ in range(40):
                length = rng.choice((0, 1, 2, 3, 8, 16, 24, 30, 31, 32)).to_bytes(4, "little")
                number = (rng.getrandbits(32) & 0xE0C00003).to_bytes(4, "big")
                small = rng.choice((0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 1 << 31)).to_bytes(4, "little")
                key = length + number if kind == "trie" else small
                deletes = rng.random() < 0.2
                for view in (live, offline):
                    if deletes:
                        view.raw.delete(key)
                    else:
                        view.raw.update(key, (1).to_bytes(spec.value_size, "little"), 0)
            assert [bytes(key) for key in offline] == [bytes(key) for key in live], seed
            assert [bytes(key) for key, _ in offline.items()] == [bytes(key) for key, _ in live.items()], seed
