"""Local storages and tables of sockets beside the kernel's: every answer of every operation."""

from __future__ import annotations

import random
import socket
import struct

import pytest

from pybpf import (
    VM,
    Array,
    ArrayOfMaps,
    CgroupStorage,
    CgrpStorage,
    HashMap,
    HashOfMaps,
    PerCpuCgroupStorage,
    ProgArray,
    ProgramSpec,
    ReuseportSockArray,
    SkStorage,
    SockHash,
    SockMap,
    SyscallError,
    TaskStorage,
    asm,
    load,
    u32,
    u64,
    verify,
)
from pybpf.btf import Btf
from pybpf.maps.create import create
from pybpf.uapi import ProgType
from pybpf.vm import PseudoSocket

ENGINES = ("interpreter", "translator")
FRAME = bytes(12) + b"\x08\0" + bytes([0x45, 0, 0, 40]) + bytes(60)
COUNT = 14
RESULT = "*(u64 *)(r9 + {}) = r8"


def answers(machine) -> tuple[int, ...]:
    return struct.unpack(f"{COUNT}q", bytes(machine["seen"][0]))


def owner_of(kind: str) -> str:
    """Text that puts the object of a storage into r6."""
    if kind == "sk":
        return "r6 = *(u64 *)(r1 + 168)\nif r6 == 0 goto +109\nr1 = r6\ncall bpf_sk_fullsock\nr6 = r0\nif r0 == 0 goto +105"
    if kind == "task":
        return "call bpf_get_current_task_btf\nr6 = r0"
    task, group = Btf.kernel()["task_struct"]["cgroups"].offset, Btf.kernel()["css_set"]["dfl_cgrp"].offset
    return f"@bpf_rcu_read_lock\ncall bpf_get_current_task_btf\nr6 = *(u64 *)(r0 + {task})\nr6 = *(u64 *)(r6 + {group})"


STORAGES = {
    "task": (TaskStorage, ProgType.SYSCALL),
    "cgrp": (CgrpStorage, ProgType.SYSCALL),
    "sk": (SkStorage, ProgType.SCHED_CLS),
}


def storage_program(program, kind: str, rng: random.Random) -> ProgramSpec:
    made, prog_type = STORAGES[kind]
    text = ["r9 = map[id:seen][0]+0", "*(u64 *)(r10 - 8) = 7"]
    for n in range(COUNT):
        name = rng.choice(("a", "a", "b"))
        if rng.randrange(4):
            initial = rng.choice(("r3 = 0", f"*(u64 *)(r10 - 16) = {rng.randrange(100)}\nr3 = r10\nr3 += -16"))
            text += [
                initial,
                f"r1 = map[id:{name}]",
                "r2 = r6",
                f"r4 = {rng.choice((0, 0, 1, 1, 1, 2, 3, 1 << 32))} ll",
            ]
            text += [f"call bpf_{kind}_storage_get", "r8 = -1", "if r0 == 0 goto +3", "r8 = *(u64 *)(r0 + 0)"]
            text += [f"r1 = {rng.randrange(1000)}", "*(u64 *)(r0 + 0) = r1"]
        else:
            text += [f"r1 = map[id:{name}]", "r2 = r6", f"call bpf_{kind}_storage_delete", "r8 = r0"]
        text.append(RESULT.format(8 * n))
    body = "\n".join(text)
    before = owner_of(kind)
    if kind == "sk":  # to the end of the program, where there is no socket
        code = asm.assemble(body)
        slots = sum(i.slots for i in code)
        before = before.replace("+109", f"+{slots + 4}").replace("+105", f"+{slots}")
    after = "\n@bpf_rcu_read_unlock" if kind == "cgrp" else ""
    maps = {"a": made(u64, name="a"), "b": made(u64, name="b"), "seen": Array(8 * COUNT, max_entries=1, name="seen")}
    return program(f"{before}\n{body}{after}\nr0 = 0\nexit", prog_type, **maps)


@pytest.mark.kernel
@pytest.mark.parametrize("kind", STORAGES)
def test_storages(program, kind, scale):
    given = {"data": FRAME} if kind == "sk" else {}
    for seed in range(25 * scale):
        spec = storage_program(program, kind, random.Random(seed))
        with load(spec) as prog:
            expected = [(prog.test_run(**given).retval, answers(prog)) for _ in range(2)]
        for engine in ENGINES:
            vm = VM(spec, engine=engine)
            assert [(vm.run(**given).retval, answers(vm)) for _ in range(2)] == expected, seed


def test_keys_of_storages(program):
    """A pid, the id of a cgroup, a socket; the storage of a socket goes with it."""
    found = {}
    for kind, key in (("task", 5), ("cgrp", 77)):
        spec = storage_program(program, kind, random.Random(1))
        vm = VM(spec, pid=5, cgroup_id=77)
        vm["a"][key] = 1234
        assert vm["a"][key] == 1234
        vm.run()
        found[kind] = list(vm["a"])
    assert found == {"task": [5], "cgrp": [77]}
    vm = VM(storage_program(program, "sk", random.Random(1)))
    vm.run(data=FRAME)
    assert dict(vm["a"].items()) == dict(vm["b"].items()) == {}


TABLES = {
    "sockmap": lambda: SockMap(max_entries=3, name="m"),
    "sockhash": lambda: SockHash(u32, max_entries=2, name="m"),
    "reuseport": lambda: ReuseportSockArray(max_entries=3, name="m"),
    "programs": lambda: ProgArray(max_entries=3, name="m"),
    "maps": lambda: ArrayOfMaps(HashMap(u32, u64, max_entries=4, name="inner"), 3, name="m"),
    "named maps": lambda: HashOfMaps(u32, HashMap(u32, u64, max_entries=4, name="inner"), 2, name="m"),
}


def operations(view, things: list, rng: random.Random) -> list:
    """Random operations from user space, and everything that they answered."""
    out: list = []
    for _ in range(40):
        key, number, flags = rng.choice((0, 1, 2, 3, 7)), rng.randrange(len(things)), rng.choice((0, 0, 1, 2, 3, 4))
        what = rng.choice(("set", "set", "delete", "in", "keys"))
        try:
            if what == "set":
                answer = view.set(key, things[number], flags=flags)
            elif what == "delete":
                answer = view.__delitem__(key)
            else:
                answer = key in view if what == "in" else sorted(view)
        except (SyscallError, KeyError) as error:
            answer = getattr(error, "errno", "KeyError")
        out.append((what, key, number, flags, answer))
    return out


def udp_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", 0))
    return made


@pytest.mark.kernel
@pytest.mark.parametrize("kind", TABLES)
def test_tables_from_user_space(program, kind, scale):
    empty = [ProgramSpec(asm.assemble("r0 = 0\nexit"), ProgType.SCHED_CLS, name=f"p{i}") for i in range(3)]
    inner = [HashMap(u32, u64, max_entries=4, name=f"i{i}") for i in range(3)]
    for seed in range(10 * scale):
        spec = TABLES[kind]()
        holder = ProgramSpec(asm.assemble("r1 = m ll\nr0 = 0\nexit"), ProgType.SCHED_CLS, maps={"m": spec})
        if kind == "programs":
            live_things, things = [load(p) for p in empty], empty
        elif kind.endswith("maps"):
            live_things, things = [create(m) for m in inner], inner
        else:
            live_things, things = (
                [udp_socket() for _ in range(3)],
                [PseudoSocket(family=2, protocol=17) for _ in range(3)],
            )
        with create(spec) as live:
            expected = operations(live, live_things, random.Random(seed))
        for thing in live_things:
            if hasattr(thing, "close"):
                thing.close()
        assert operations(VM(holder)["m"], things, random.Random(seed)) == expected, seed


def table_program(program, kind: str, rng: random.Random) -> ProgramSpec:
    """Enters the socket under 0, which user space put there, and takes entries out again."""
    text = ["r9 = map[id:seen][0]+0", "*(u32 *)(r10 - 4) = 0", "r1 = map[id:m]", "r2 = r10", "r2 += -4"]
    text += ["call bpf_map_lookup_elem", "if r0 == 0 goto end", "r6 = r0"]
    for n in range(COUNT):
        what, key = rng.choice(("update", "update", "delete", "lookup")), rng.choice((0, 1, 2, 3, 9))
        text += [f"*(u32 *)(r10 - 8) = {key}", "r1 = map[id:m]", "r2 = r10", "r2 += -8"]
        if what == "update":
            text += ["r3 = r6", f"r4 = {rng.choice((0, 0, 1, 2, 3, 4))}"]
        text.append(f"call bpf_map_{what}_elem")
        if what == "lookup":
            text += ["r8 = 0", f"if r0 == 0 goto n{n}", "r1 = r0", "call bpf_sk_release", "r8 = 1", f"n{n}:"]
        else:
            text.append("r8 = r0")
        text.append(RESULT.format(8 * n))
    text += ["r1 = r6", "call bpf_sk_release", "end:", "r0 = 0", "exit"]
    seen = Array(8 * COUNT, max_entries=1, name="seen")
    return program("\n".join(text), ProgType.SCHED_CLS, m=TABLES[kind](), seen=seen)


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["sockmap", "sockhash"])
def test_tables_from_programs(program, kind, scale):
    with udp_socket() as real:
        for seed in range(20 * scale):
            spec = table_program(program, kind, random.Random(seed))
            with load(spec) as prog:
                prog["m"][0] = real
                prog.test_run(data=FRAME)
                expected = answers(prog), sorted(prog["m"])
            for engine in ENGINES:
                vm = VM(spec, engine=engine)
                vm["m"][0] = PseudoSocket(family=2, protocol=17)
                vm.run(data=FRAME)
                assert (answers(vm), sorted(vm["m"])) == expected, seed


SOCKET_OF_CONTEXT = "r6 = *(u64 *)(r1 + 168)\nif r6 == 0 goto end\nr1 = r6\ncall bpf_sk_fullsock\nif r0 == 0 goto end\n"


@pytest.mark.kernel
def test_the_socket_of_a_packet(program, frame):
    """Every field of the socket that TEST_RUN puts behind a packet, and what a socket map says to it."""
    text, places = [], []
    for offset in range(76):
        for size in (1, 2, 4):
            one = f"r7 = *(u{8 * size} *)(r0 + {offset})\n"
            if verify(program(f"{SOCKET_OF_CONTEXT}{one}end:\nr0 = 0\nexit", ProgType.SCHED_CLS)).ok:
                text += [one, f"*(u64 *)(r9 + {8 * len(places)}) = r7\n"]
                places.append((offset, size))
    whole = f"r9 = map[id:seen][0]+0\n{SOCKET_OF_CONTEXT}{''.join(text)}"
    whole += "*(u32 *)(r10 - 8) = 0\nr3 = r0\nr1 = map[id:m]\nr2 = r10\nr2 += -8\nr4 = 0\n"
    whole += "call bpf_map_update_elem\nexit\nend:\nr0 = 1\nexit"
    maps = {"m": SockMap(max_entries=1, name="m"), "seen": Array(8 * len(places), max_entries=1, name="seen")}
    spec = program(whole, ProgType.SCHED_CLS, **maps)
    vm = VM(spec)
    with load(spec) as prog:
        try:
            expected = prog.test_run(data=frame).retval
        except SyscallError:
            return
        assert vm.run(data=frame).retval == expected
        assert bytes(vm["seen"][0]) == bytes(prog["seen"][0])
    assert len(places) > 80


@pytest.mark.parametrize("made", [CgroupStorage, PerCpuCgroupStorage])
@pytest.mark.parametrize("engine", ENGINES)
def test_storage_of_the_cgroup(program, made, engine):
    """It outlives the run, as that of an attached program does; each CPU has its own in the second kind."""
    text = "r1 = map[id:m]\nr2 = 0\ncall bpf_get_local_storage\nr1 = *(u64 *)(r0 + 0)\nr1 += 1\n*(u64 *)(r0 + 0) = r1\n"
    text += "r0 = r1\nexit"
    vm = VM(program(text, ProgType.CGROUP_SKB, m=made(u64, name="m")), engine=engine, cpus=2, cgroup_id=9)
    seen = []
    for cpu in (0, 0, 1):
        vm.env.cpu = cpu
        seen.append(vm.run(data=FRAME).retval)
    [(key, value)] = vm["m"].items()
    assert key.cgroup_inode_id == 9
    assert (seen, value) == (([1, 2, 3], 3) if made is CgroupStorage else ([1, 2, 1], [2, 1]))
    vm["m"][key] = 40 if made is CgroupStorage else [40, 40]
    assert vm.run(data=FRAME).retval == 41
