"""Methods of maps inside a program: `METHODS` has, for each name and type of map, what lowers it."""

from __future__ import annotations

from ...declared import (
    ArrayOfMaps,
    BloomFilter,
    CgroupArray,
    CgroupStorage,
    CgrpStorage,
    HashOfMaps,
    InodeStorage,
    LpmTrie,
    PerCpuCgroupStorage,
    PerfEventArray,
    ProgArray,
    Queue,
    ReuseportSockArray,
    RingBuf,
    SkStorage,
    SockHash,
    SockMap,
    Stack,
    StackTrace,
    TaskStorage,
    UserRingBuf,
)
from . import scalars as types
from .integers import convert, status, word
from .kernelrefs import Object
from .layout import alignof, normal, sizeof, type_name
from .maps import ARRAYS, DELETE, KEYED, LOOKUP, PEEK, TARGETS, UPDATE, MapRef, types_of
from .pieces import pieces
from .places import value_pointer
from .records import output, perf_output, reserve
from .refs import Ref
from .values import Const, Front

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value

    Lower = Callable[..., Front]  # (compiler, map, node, *arguments)

ZERO, FALSE, NOTHING = Const(0), Const(False), Const(None)
POP, PUSH = 88, 87
TAIL_CALL, GET_STACKID, CURRENT_TASK_UNDER_CGROUP, REDIRECT_MAP, GET_LOCAL_STORAGE = 12, 27, 37, 51, 81
"""Ids of helpers."""
REDIRECTS = {
    (SockMap.TYPE, False): ("sk_redirect_map", 52),
    (SockMap.TYPE, True): ("msg_redirect_map", 60),
    (SockHash.TYPE, False): ("sk_redirect_hash", 72),
    (SockHash.TYPE, True): ("msg_redirect_hash", 71),
}
"""Helper and id by type of map, and whether the program is given messages."""
STORAGES = {
    SkStorage.TYPE: ("sk_storage", 107, 108),
    InodeStorage.TYPE: ("inode_storage", 145, 147),
    TaskStorage.TYPE: ("task_storage", 156, 157),
    CgrpStorage.TYPE: ("cgrp_storage", 210, 211),
}
"""Name of the helpers, ids of those that get and delete."""


def bind(c: Compiler, name: str, lower: Lower, args: list[Front], kw: dict[str, Front], node: Any) -> list[Front]:
    """The arguments of a method in order: those by name put in their places."""
    code: Any = lower.__code__
    names = code.co_varnames[3 : code.co_argcount]
    defaults = lower.__defaults__ or ()
    required = len(names) - len(defaults)
    for parameter in kw:
        if parameter not in names[len(args) :]:
            c.fail(f"{name} has no argument {parameter!r}; it has {', '.join(names)}", node)
    given = list(args)
    for i, parameter in enumerate(names[len(args) :], len(args)):
        if parameter not in kw and i < required:
            break
        given.append(kw[parameter] if parameter in kw else defaults[i - required])
    if not required <= len(given) <= len(names):
        c.fail(f"{name} takes ({', '.join(names)}), {len(given)} given", node)
    return given


# -- maps with keys


def get(c: Compiler, m: MapRef, node: Any, key: Front, default: Front | None = None) -> Front:
    ref = m.lookup(c, key, node)
    if default is None:
        return ref
    from ..lower.conditions import is_none
    from ..lower.expressions import select

    none, some = is_none(c, ref, node)
    if none is None:
        return ref.number(c, node)
    assert some is not None
    c.b.state = some
    number = ref.number(c, node)
    return select(c, [(none, default), (c.b.state, number)], node, "this entry")


def get_map(c: Compiler, m: MapRef, node: Any, key: Front) -> Front:
    temporary: list[Value] = []
    address = m.call(c, "map_lookup_elem", LOOKUP, [m.pointer_value(c), m.key(c, key, temporary, node)], temporary)
    address.lo, address.hi = 0, (1 << 64) - 1
    if m.spec.inner is None:
        c.fail(f"{m.what()} was declared without its inner map", node)
    return MapRef(m.spec.inner, f"{m.hint}.get(...)", address)


def get_socket(c: Compiler, m: MapRef, node: Any, key: Front) -> Front:
    temporary: list[Value] = []
    found = m.call(c, "map_lookup_elem", LOOKUP, [m.pointer_value(c), m.key(c, key, temporary, node)], temporary)
    found.lo, found.hi = 0, (1 << 64) - 1
    c.state.owned[found] = f"the socket found at line {c.source(node).line}"
    return Object(found, "socket", null=True, owner=found)


def get_target(c: Compiler, m: MapRef, node: Any, key: Front) -> Front:
    found = m.find(c, key, node)
    found.writable = False
    return found


def update(c: Compiler, m: MapRef, node: Any, key: Front, value: Front, flags: Front = ZERO) -> Front:
    return status(c, m.put(c, key, value, word(c, flags, node), node))


def delete(c: Compiler, m: MapRef, node: Any, key: Front) -> Front:
    return status(c, m.remove(c, key, node))


def update_socket(c: Compiler, m: MapRef, node: Any, key: Front, socket: Front, flags: Front = ZERO) -> Front:
    """A socket is put in: that of the context, where a sock_ops program has it, or one that the program holds."""
    from ..lower.helpercalls import is_ctx

    temporary: list[Value] = []
    extra = word(c, flags, node)
    place = m.key(c, key, temporary, node)
    if is_ctx(socket):
        name, number = ("sock_map_update", 53) if m.spec.map_type == SockMap.TYPE else ("sock_hash_update", 70)
        args = [socket.value, m.pointer_value(c), place, extra]  # type: ignore[attr-defined]
        return status(c, m.call(c, name, number, args, temporary))
    if not isinstance(socket, Object):
        c.fail(f"{m.what()} takes the context of a sock_ops program, or a socket, and not {socket.what()}", node)
    args = [m.pointer_value(c), place, socket.pointer_value(c), extra]
    return status(c, m.call(c, "map_update_elem", UPDATE, args, temporary))


def delete_socket(c: Compiler, m: MapRef, node: Any, key: Front) -> Front:
    temporary: list[Value] = []
    place = m.key(c, key, temporary, node)
    return status(c, m.call(c, "map_delete_elem", DELETE, [m.pointer_value(c), place], temporary))


def for_each(
    c: Compiler, m: MapRef, node: Any, callback: Front, context: Front = NOTHING, flags: Front = ZERO
) -> Front:
    from ..lower.helpercalls import call_helper

    return call_helper(c, "for_each_map_elem", [m, callback, context, flags], {}, node)


# -- storage of kernel objects


def get_storage(c: Compiler, m: MapRef, node: Any, owner: Front, create: Front = FALSE) -> Front:
    """The value that belongs to a socket, task, inode or cgroup, or None; `create=True` makes it, zeroed."""
    name, number, _ = STORAGES[m.spec.map_type]
    if not isinstance(create, Const):
        c.fail("create is a constant", node)
    address = owner_of(c, m, owner, node)
    args = [m.pointer_value(c), address, c.b.const(0), c.b.const(int(bool(create.obj)))]
    found = m.call(c, f"{name}_get", number, args)
    found.lo, found.hi = 0, (1 << 64) - 1
    return Ref(found, 0, normal(m.spec.value), "map", check=("null", found), shared=True,
               label=f"{m.hint}.get(...)", origin=m)  # fmt: skip


def delete_storage(c: Compiler, m: MapRef, node: Any, owner: Front) -> Front:
    name, _, number = STORAGES[m.spec.map_type]
    return status(c, m.call(c, f"{name}_delete", number, [m.pointer_value(c), owner_of(c, m, owner, node)]))


def owner_of(c: Compiler, m: MapRef, owner: Front, node: Any) -> Value:
    if isinstance(owner, MapRef) or (isinstance(owner, Ref) and owner.region != "kernel"):
        c.fail(f"{m.what()} keeps values of kernel objects, and {owner.what()} is none", node)
    return pointer_of(c, owner, node)


def pointer_of(c: Compiler, front: Front, node: Any) -> Value:
    pointer = getattr(front, "pointer_value", None)
    if pointer is not None:
        return pointer(c)  # type: ignore[no-any-return]
    if isinstance(front, Ref):
        return front.pointer(c, node)
    c.fail(f"this takes a kernel object, not {front.what()}", node)


def local(c: Compiler, m: MapRef, node: Any) -> Front:
    """The value of the cgroup that the program is attached to."""
    found = m.call(c, "get_local_storage", GET_LOCAL_STORAGE, [m.pointer_value(c), c.b.const(0)])
    found.lo, found.hi = 1, (1 << 64) - 1
    shared = m.spec.map_type == CgroupStorage.TYPE
    return Ref(found, 0, normal(m.spec.value), "map", shared=shared, label=f"{m.hint}.local()", origin=m)


# -- maps without keys


def push(c: Compiler, m: MapRef, node: Any, value: Front, flags: Front = ZERO) -> Front:
    temporary: list[Value] = []
    place = value_pointer(c, value, m.spec.value, "value", temporary, node)
    return status(c, m.call(c, "map_push_elem", PUSH, [m.pointer_value(c), place, word(c, flags, node)], temporary))


def _taker(name: str, number: int) -> Lower:
    def take(c: Compiler, m: MapRef, node: Any) -> Front:
        """The next value as a copy on the stack, or None when there is none."""
        type_ = normal(m.spec.value)
        size = sizeof(type_)
        place = c.slot(size, 8 if size >= 8 else alignof(type_), type_name(type_))
        for at, width in pieces(size, place.aux.align):
            c.b.store(place, at, width, c.b.const(0), "stack")
        failed = m.call(c, f"map_{name}_elem", number, [m.pointer_value(c), place])
        return Ref(place, 0, type_, "stack", check=("failed", failed), label=f"{m.hint}.{name}()")

    return take


def drain(c: Compiler, m: MapRef, node: Any, callback: Front, context: Front = NOTHING, flags: Front = ZERO) -> Front:
    """Call `callback(record, context)` for each record from user space; its number, or a negative errno (Linux 6.1)."""
    from ..lower.helpercalls import call_helper

    return call_helper(c, "user_ringbuf_drain", [m, callback, context, flags], {}, node)


def stack_id(c: Compiler, m: MapRef, node: Any, flags: Front = ZERO) -> Front:
    """The id of the current stack trace, or a negative errno; flags 256 (BPF_F_USER_STACK) for user space."""
    args = [c.context().value, m.pointer_value(c), word(c, flags, node)]
    return status(c, m.call(c, "get_stackid", GET_STACKID, args))


# -- tables of kernel objects


def tail_call(c: Compiler, m: MapRef, node: Any, index: Front) -> Front:
    """Go on in another program; returns only when there is none at that index."""
    from ..lower.helpercalls import leave

    place = convert(c, index, types.u32, node, "the index of a program")
    leave(c, TAIL_CALL, [c.context().value, m.pointer_value(c), place], node)
    return NOTHING


def contains_current(c: Compiler, m: MapRef, node: Any, index: Front) -> Front:
    """Whether the current task is in the cgroup at an index."""
    args = [m.pointer_value(c), word(c, index, node)]
    return status(c, m.call(c, "current_task_under_cgroup", CURRENT_TASK_UNDER_CGROUP, args))


def redirect(c: Compiler, m: MapRef, node: Any, key: Front, flags: Front = ZERO) -> Front:
    extra = word(c, flags, node)
    place = convert(c, key, types.u32, node, "the key of a target")
    return status(c, m.call(c, "redirect_map", REDIRECT_MAP, [m.pointer_value(c), place, extra]))


def redirect_to_socket(c: Compiler, m: MapRef, node: Any, key: Front, flags: Front = ZERO) -> Front:
    extra = word(c, flags, node)
    name, number = REDIRECTS[m.spec.map_type, c.unit.kind.context == "sk_msg_md"]
    temporary: list[Value] = []
    if m.spec.map_type == SockMap.TYPE:
        place = convert(c, key, types.u32, node, "the key of a socket")
    else:
        place = m.key(c, key, temporary, node)
    return status(c, m.call(c, name, number, [c.context().value, m.pointer_value(c), place, extra], temporary))


def select(c: Compiler, m: MapRef, node: Any, key: Front, flags: Front = ZERO) -> Front:
    """The socket at an index of a group gets what the program was asked about; 0, or a negative errno."""
    from ..lower.helpercalls import call_helper

    return call_helper(c, "sk_select_reuseport", [c.context(), m, key, flags], {}, node)


SOCKETS = types_of(SockMap, SockHash)
METHODS: dict[str, dict[int, Lower]] = {}
"""What lowers a method, by its name and the type of map."""
for _name, _types, _lower in (
    ("get", KEYED, get),
    ("get", frozenset(STORAGES), get_storage),
    ("get", types_of(ArrayOfMaps, HashOfMaps), get_map),
    ("get", SOCKETS, get_socket),
    ("get", TARGETS, get_target),
    ("update", KEYED, update),
    ("update", SOCKETS, update_socket),
    ("delete", KEYED - ARRAYS, delete),
    ("delete", SOCKETS, delete_socket),
    ("delete", frozenset(STORAGES), delete_storage),
    ("for_each", KEYED - types_of(LpmTrie), for_each),
    ("reserve", types_of(RingBuf), reserve),
    ("output", types_of(RingBuf), output),
    ("output", types_of(PerfEventArray), perf_output),
    ("push", types_of(Queue, Stack, BloomFilter), push),
    ("add", types_of(BloomFilter), push),
    ("pop", types_of(Queue, Stack), _taker("pop", POP)),
    ("peek", types_of(Queue, Stack), _taker("peek", PEEK)),
    ("tail_call", types_of(ProgArray), tail_call),
    ("redirect", TARGETS, redirect),
    ("redirect", SOCKETS, redirect_to_socket),
    ("select", types_of(ReuseportSockArray), select),
    ("stack_id", types_of(StackTrace), stack_id),
    ("drain", types_of(UserRingBuf), drain),
    ("contains_current", types_of(CgroupArray), contains_current),
    ("local", types_of(CgroupStorage, PerCpuCgroupStorage), local),
):
    METHODS.setdefault(_name, {}).update(dict.fromkeys(_types, _lower))

__all__ = ["METHODS", "bind", "pointer_of"]
