"""Whatever a live map can do, the machine's map of that type can do, or says by name that it needs the kernel."""

from __future__ import annotations

import ctypes
import inspect
from errno import EBUSY, EPERM

import pytest

from pybpf import (
    VM,
    Array,
    MapSpec,
    NotSupportedError,
    ProgramSpec,
    StackTrace,
    Struct,
    SyscallError,
    asm,
    load,
    u32,
    u64,
)
from pybpf.maps import create
from pybpf.uapi import MapType, ProgType, named
from pybpf.vm.maps import KINDS

MMAPABLE = 1 << 10
SIZES = {
    MapType.QUEUE: (0, 8, 4, 0),
    MapType.STACK: (0, 8, 4, 0),
    MapType.BLOOM_FILTER: (0, 8, 4, 0),
    MapType.RINGBUF: (0, 0, 4096, 0),
    MapType.USER_RINGBUF: (0, 0, 4096, 0),
    MapType.ARENA: (0, 0, 1, 1 << 10),
    MapType.LPM_TRIE: (8, 8, 4, 1),
    MapType.RHASH: (4, 8, 4, 1),
    MapType.CGROUP_STORAGE: (16, 8, 0, 0),
    MapType.PERCPU_CGROUP_STORAGE: (16, 8, 0, 0),
    **dict.fromkeys(
        (MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE), (4, 8, 0, 1)
    ),
}
NEEDS_KERNEL = {"fileno", "weak_fileno", "detach", "pin", "from_id", "from_pin"}


def names(kind: type) -> set[str]:
    """What a class offers to its users: its public names, and the special methods that say what it can be used as."""
    special = ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "__aiter__", "__len__")
    return {n for n in dir(kind) if not n.startswith("_")} | {n for n in (*special, "__enter__") if hasattr(kind, n)}


def live_class(kind: int) -> type:
    place = create._ELSEWHERE.get(kind)
    if place is None:
        return create._LIVE.get(kind, (create.LiveHash,))[0]
    module, name = place.split(":")
    return getattr(importlib_module(module), name)


def importlib_module(name: str):
    from importlib import import_module

    return import_module(name, "pybpf.maps")


def offline(spec: MapSpec):
    vm = VM(ProgramSpec(asm.assemble("r0 = 0\nexit"), ProgType.XDP, maps={"m": spec}))
    return vm["m"], vm


def spec_of(kind: int) -> MapSpec:
    key, value, entries, flags = SIZES.get(kind, (4, 8 if kind != MapType.PROG_ARRAY else 4, 4, 0))
    return MapSpec(kind, key, value, entries, flags, name="m")


@pytest.mark.parametrize("kind", sorted(KINDS), ids=lambda k: getattr(named(MapType, k), "name", str(k)))
def test_every_name_of_the_live_class_is_there(kind):
    view, _ = offline(spec_of(kind))
    live = live_class(kind)
    missing = names(live) - names(type(view))
    assert not missing
    for name in sorted(names(live) - {"raw", "spec"}):
        theirs, ours = (inspect.getattr_static(cls, name) for cls in (live, type(view)))
        assert isinstance(theirs, property) == isinstance(ours, property) or name in ("closed", "lost", "event"), name
        if inspect.isfunction(theirs) and inspect.isfunction(ours) and name not in NEEDS_KERNEL:
            wanted, found = inspect.signature(theirs).parameters, inspect.signature(ours).parameters
            takes_all = any(p.kind == p.VAR_KEYWORD for p in found.values())
            assert takes_all or set(wanted) - {"conditions"} <= set(found) or name.startswith("__"), (
                name,
                wanted,
                found,
            )


@pytest.mark.parametrize("name", sorted(NEEDS_KERNEL))
def test_what_needs_a_descriptor_says_so(name):
    view, _ = offline(MapSpec(MapType.HASH, 4, 8, 4, name="m"))
    with pytest.raises(NotSupportedError) as caught:
        getattr(view, name)()
    assert str(caught.value) == (
        f"{name}() of a map in the offline machine is not supported here: "
        "it has no descriptor; load() makes a map in the kernel"
    )


def test_objects_have_ids_and_a_description():
    view, _ = offline(MapSpec(MapType.HASH, 4, 8, 4, name="m"))
    with view as same:
        assert same is view
    assert (view.name, view.id, view.closed) == ("m", 1, False)
    info = view.info
    assert (info.type, info.key_size, info.value_size, info.max_entries, info.name) == (1, 4, 8, 4, b"m")


class Pair(Struct):
    first: u32
    second: u32


class Odd(Struct):
    first: u32
    second: u32
    third: u32


def answers(array, run):
    """What an array's memory looks like before and behind a program that counts entry 2 by one."""
    memory = array.memory
    out = [type(memory).__name__ if isinstance(memory, memoryview) else "array", len(memory)]
    run()
    first = memory[2].first if isinstance(memory, ctypes.Array) else memory[2] if memory.itemsize > 1 else memory[32]
    out.append(first)
    if isinstance(memory, ctypes.Array):
        memory[3].first = 77
    else:
        memory[3 if memory.itemsize > 1 else 48] = 77
    return [*out, bytes(memory[:4]) if isinstance(memory, memoryview) else bytes(memory[3]), repr(list(array.items()))]


@pytest.mark.kernel
@pytest.mark.parametrize("value", [u32, u64, Pair, Odd], ids=["u32", "u64", "Pair", "Odd"])
def test_memory_of_an_array(value):
    m = Array(value, max_entries=5, flags=MMAPABLE, name="m")
    code = """
        *(u32 *)(r10 - 4) = 2
        r1 = m ll
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto +2
        r1 = 9
        *(u32 *)(r0 + 0) = r1
        r0 = 0
        exit
    """
    spec = ProgramSpec(asm.assemble(code), ProgType.SCHED_CLS, maps={"m": m})
    with load(spec) as prog:
        expected = answers(prog["m"], lambda: prog.test_run(data=bytes(64)))
    for engine in ("interpreter", "translator"):
        vm = VM(spec, engine=engine)
        assert answers(vm["m"], lambda vm=vm: vm.run(data=bytes(64))) == expected


@pytest.mark.kernel
def test_frozen_while_its_memory_is_held():
    spec = ProgramSpec(
        asm.assemble("r1 = m ll\nr0 = 0\nexit"),
        ProgType.SCHED_CLS,
        maps={"m": Array(u64, max_entries=4, flags=MMAPABLE, name="m")},
    )

    def rights(view) -> list[int]:
        memory, out = view.memory, []
        memory[0] = 3
        for _ in range(3):
            try:
                view.freeze()
                out.append(0)
            except SyscallError as error:
                out.append(error.errno)
            memory = None
        return [*out, view.memory[0], view.memory.readonly]

    with load(spec) as prog:
        expected = rights(prog["m"])
    assert rights(VM(spec)["m"]) == expected == [EBUSY, 0, EPERM, 3, True]


def test_memory_of_other_arrays():
    view, _ = offline(Array(u64, max_entries=2, name="m"))
    with pytest.raises(Exception, match=r"is not shared memory: declare it with flags=1 << 10 \(MMAPABLE, Linux 5.5\)"):
        _ = view.memory


def test_frames_of_a_stack():
    traces = StackTrace(max_entries=4, depth=4, name="t")
    code = asm.assemble("r2 = t ll\nr3 = 0\ncall bpf_get_stackid\nexit")
    spec = ProgramSpec(code, ProgType.TRACEPOINT, maps={"t": traces})
    vm = VM(spec, stack=[0x1010, 0x2000, 0x10], kallsyms={"outer": 0x2000, "inner": 0x1000})
    number = vm.run().retval
    assert [str(f) for f in vm["t"].frames(number)] == ["inner+0x10", "outer+0x0", "0x10+0x0"]
    assert [str(f) for f in vm["t"].frames(number, pid=1)] == ["0x1010+0x0", "0x2000+0x0", "0x10+0x0"]


RDONLY, WRONLY = 1 << 3, 1 << 4


def permitted(view, freeze: int) -> list:
    """What user space may do to the map."""
    out = []
    for what in (
        *[view.freeze] * freeze,
        lambda: view.get(1),
        lambda: view.set(1, 2),
        lambda: view.pop(1, None),
        lambda: view.__delitem__(1),
        lambda: list(view),
        lambda: len(view),
        lambda: view.clear(),
    ):
        try:
            out.append(what())
        except (SyscallError, KeyError) as error:
            out.append(getattr(error, "errno", "KeyError"))
    return out


@pytest.mark.kernel
@pytest.mark.parametrize("freeze", [0, 1, 2])
@pytest.mark.parametrize("flags", [0, RDONLY, WRONLY])
def test_rights_of_user_space(flags, freeze):
    spec = MapSpec(MapType.HASH, 4, 8, 4, flags, name="m", key=u32, value=u64)
    program = ProgramSpec(asm.assemble("r1 = m ll\nr0 = 0\nexit"), ProgType.XDP, maps={"m": spec})
    with load(program) as prog:
        expected = permitted(prog["m"], freeze)
    assert permitted(VM(program)["m"], freeze) == expected
