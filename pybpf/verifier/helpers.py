# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Helper calls: what must hold of the arguments (`_check_argument` and below), and what the call changes (`_apply`)."""

from __future__ import annotations

from ..errors import SpecError
from ..kernel import helper as helper_rules
from ..kernel import since, targets
from ..kernel.capabilities import for_helper
from ..uapi.attach import AttachType
from ..uapi.map import MapType
from ..uapi.prog import ProgType
from . import memory, stack
from .alu import unread
from .btfwalk import begins_with, check_kptr_store
from .calls import clobber, end_early, forget_packets, push_callback
from .maps import ARRAYS, MAX_OFFSET, Map
from .memory import check_map_access, check_map_region, check_packet, check_region
from .num import Num, s64, sync
from .pointers import check_unmodified
from .reject import Reject
from .results import give_result
from .special import (
    change_lock,
    check_dynptr,
    check_kptr,
    check_string,
    check_timer,
    make_dynptr,
    release,
)
from .state import INVALID, SPILL, ZERO, State
from .tnum import U64
from .values import (
    ALLOC,
    ANY,
    BTF_ID,
    BUF,
    CTX,
    DYNPTR,
    FUNC,
    KIND,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    PACKETS,
    PERCPU,
    PKT,
    PKT_META,
    RCU,
    RDONLY,
    RINGBUF,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    STACK,
    TCP_SOCK,
    TRUSTED,
    XDP_SOCK,
    Reg,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf.fields import Special
    from ..kernel import Arg, HelperRules
    from .explore import Run

_MEMORY = (STACK, PKT, PKT_META, MAP_KEY, MAP_VALUE, MEM, MEM | RINGBUF, BUF, BTF_ID | TRUSTED)
_SOCKS = (SOCK_COMMON, SOCKET, TCP_SOCK, XDP_SOCK)
_BTF = (BTF_ID, BTF_ID | TRUSTED, BTF_ID | RCU)
ACCEPTED: dict[str, tuple[int, ...]] = {
    "ctx": (CTX,),
    "map": (MAP_PTR,),
    "key": _MEMORY,
    "value": _MEMORY,
    "mem": _MEMORY,
    "fixed": _MEMORY,
    "size": (SCALAR,),
    "size0": (SCALAR,),
    "alloc_size": (SCALAR,),
    "sock": (*_SOCKS, BTF_ID, BTF_ID | TRUSTED),
    "socket": (SOCKET,),
    "btf": _BTF,
    "percpu_btf": (BTF_ID | PERCPU, BTF_ID | PERCPU | RCU, BTF_ID | PERCPU | TRUSTED),
    "lock": (MAP_VALUE, BTF_ID | ALLOC),
    "timer": (MAP_VALUE,),
    "kptr": (MAP_VALUE, BTF_ID | ALLOC),
    "func": (FUNC,),
    "stack": (STACK,),
    "str": (MAP_VALUE,),
    "record": (MEM | RINGBUF,),
    "dynptr": (STACK, DYNPTR),
    "dynptr_new": (STACK, DYNPTR),
    "dynptr_ringbuf": (STACK, DYNPTR),
}
"""Kind of argument -> the types of registers that it takes."""

_PLAIN_SOCKS_ONLY = frozenset(
    ("sk_fullsock", "tcp_sock", "get_listener_sock", "tcp_check_syncookie", "tcp_gen_syncookie")
)
"""Helpers whose socket argument has to be one of the socket kinds, not one that BTF types."""

_MAY_BE_ANY_KIND = frozenset((STACK, PKT, PKT_META, MAP_KEY, MAP_VALUE, MEM, BUF, SCALAR))

PACKET_ARGUMENTS = frozenset(
    (
        "map_lookup_elem",
        "map_update_elem",
        "map_delete_elem",
        "map_push_elem",
        "map_pop_elem",
        "map_peek_elem",
        "map_lookup_percpu_elem",
        "csum_diff",
        "sk_lookup_tcp",
        "sk_lookup_udp",
        "skc_lookup_tcp",
        "tcp_check_syncookie",
        "tcp_gen_syncookie",
        "tcp_raw_gen_syncookie_ipv4",
        "tcp_raw_gen_syncookie_ipv6",
        "tcp_raw_check_syncookie_ipv4",
        "tcp_raw_check_syncookie_ipv6",
    )
)
"""Helpers that take memory in the packet (`pkt_access` of their prototypes)."""

_CALLBACKS = {"loop": "loop", "for_each_map_elem": "for_each", "find_vma": "find_vma", "user_ringbuf_drain": "drain"}


class Meta:
    """What the arguments of a call told, for its other arguments and its result."""

    __slots__ = (
        "const_key",
        "dynptr",
        "field",
        "helper",
        "map",
        "map_uid",
        "max_size",
        "mem_size",
        "raw",
        "ref",
        "release",
        "subprog",
        "variable",
    )

    def __init__(self, helper: HelperRules) -> None:
        self.helper = helper
        self.map: Map | None = None
        self.map_uid = 0
        self.const_key = -1
        self.ref = 0
        self.release = 0
        self.subprog = -1
        self.mem_size = 0
        self.max_size = 0
        self.raw: tuple[int, int] | None = None  # register, size: memory that the function fills
        self.dynptr: Reg | None = None
        self.field: Special | None = None  # the kptr that is exchanged
        self.variable: Reg | None = None  # of each CPU


def call_helper(run: Run, state: State, slot: int, number: int) -> int:
    """A call of a kernel helper."""
    helper = find(run, number, slot)
    meta = Meta(helper)
    regs = state.frames[-1].regs
    if helper.may_sleep and (state.rcu or state.preempt or state.irq):
        where = "rcu_read_lock" if state.rcu else "non-preemptible" if state.preempt else "IRQ-disabled"
        raise Reject("lock", f"sleepable helper bpf_{helper.name}#{number} in {where} region")
    for i, arg in enumerate(helper.args):
        _check_argument(run, state, meta, i, arg, number)
    return _apply(run, state, slot, helper, meta, regs)


def find(run: Run, number: int, slot: int) -> HelperRules:
    """The helper of that number, when this program may call it."""
    setting = run.setting
    rules = setting.program_rules
    try:
        helper = helper_rules(number, setting.prog_type)
    except SpecError:
        raise Reject(
            "helper",
            f"invalid func unknown#{number}",
            hint="there is no helper with this number",
        ) from None
    if number not in rules.helpers and not _of_iterator(run, helper.name):
        version = since("helper", number)
        raise Reject(
            "helper",
            f"program of this type cannot use helper bpf_{helper.name}#{number}",
            hint=_who_may_call(run, number) + (f"; it is there since Linux {version}" if version else ""),
        )
    needed = for_helper(helper.name, setting.prog_type)
    if needed is not None and needed not in setting.capabilities:
        raise Reject("helper", f"program of this type cannot use helper bpf_{helper.name}#{number} without {needed}")
    if not setting.gpl and setting.rules.gpl_only(number):
        raise Reject(
            "license",
            f"cannot call GPL-restricted function bpf_{helper.name} from non-GPL compatible program",
            hint='declare the program\'s licence as "GPL" (or a compatible one)',
        )
    return helper


def _of_iterator(run: Run, name: str) -> bool:
    """Whether an iterator's own objects bring a helper with them."""
    setting = run.setting
    if setting.prog_type != ProgType.TRACING or setting.attach_type != AttachType.TRACE_ITER:
        return False
    return name in targets.ITERATOR_HELPERS.get(setting.spec.attach_to, ())


def _who_may_call(run: Run, number: int) -> str:
    names = sorted(
        {ProgType(key[0]).name for key in run.setting.rules.programs_that_call(number) if key[0] in list(ProgType)}
    )
    if not names:
        return f"no program type of Linux {run.setting.rules.version} may call it"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"program types that may call it: {shown}"


# -- what must hold


def _check_argument(run: Run, state: State, meta: Meta, index: int, arg: Arg, number: int) -> None:
    regno = index + 1
    regs = state.frames[-1].regs
    reg = regs[regno]
    type = reg.type
    if not type:
        raise unread(regno)
    kind = arg.kind
    if kind == "any":
        run.check_leak(reg, f"R{regno} leaks addr into helper function")
        return
    if type & KIND in PACKETS and not _packet_ok(run, meta):
        raise Reject(
            "argument",
            "helper access to the packet is not allowed",
            hint="copy the bytes to the stack first",
            regs=(regno,),
        )
    accepted = ACCEPTED[kind]
    if kind == "value" and meta.map is not None and meta.map.type in (MapType.SOCKMAP, MapType.SOCKHASH):
        kind = "sock"  # the value of such a map is a socket
        accepted = ACCEPTED["sock"]
        if meta.helper.name != "map_update_elem":
            raise Reject("argument", "invalid arg_type for sockmap/sockhash", regs=(regno,))
    if (
        kind == "value"
        and meta.map is not None
        and meta.map.type == MapType.BLOOM_FILTER
        and meta.helper.name == "map_peek_elem"
    ):
        arg = _bloom(arg)
    skip = arg.nullable and reg.null
    if not skip:
        _check_type(run, meta, reg, regno, arg, kind, accepted)
        _check_reg_off(reg, regno, arg)
    if arg.releases:
        _check_release(run, state, meta, reg, regno, kind)
    if reg.ref and kind != "kptr":
        if meta.ref:
            raise Reject("argument", "more than one arg with ref_obj_id", regs=(regno,))
        meta.ref = reg.ref
    _CHECKS.get(kind, _nothing)(run, state, meta, reg, regno, arg)


def _bloom(arg: Arg) -> Arg:
    """A bloom filter is asked for a value, not filled with one."""
    from copy import copy

    other = copy(arg)
    other.reads, other.writes = True, False
    return other


def _packet_ok(run: Run, meta: Meta) -> bool:
    if not run.packet_access:
        return False
    if run.setting.prog_type == ProgType.CGROUP_SOCKOPT:
        return True
    return meta.helper.name in PACKET_ARGUMENTS


def _check_type(run: Run, meta: Meta, reg: Reg, regno: int, arg: Arg, kind: str, accepted: tuple[int, ...]) -> None:
    type = reg.type
    if kind in ("mem", "fixed", "str") and not arg.writes:
        type &= ~RDONLY
    if arg.nullable:
        type &= ~MAYBE_NULL
    name = meta.helper.name
    if kind == "mem" and arg.writes and type & KIND == BTF_ID and type in accepted:
        text = f"bpf_{name}() may write into memory pointed by R{regno} type={type_name(reg.type)}"
        raise Reject("argument", text, hint="kernel objects are only read", regs=(regno,))
    if kind == "percpu_btf":
        type &= ~ALLOC
    if name == "kptr_xchg" and regno == 2 and type & ALLOC:
        type &= ~(ALLOC | PERCPU)
    if kind == "sock" and name in _PLAIN_SOCKS_ONLY and not run.setting.at_least("5.10"):
        accepted = _SOCKS
    if name == "map_update_elem" and kind == "sock":
        accepted = (*_SOCKS, BTF_ID, BTF_ID | TRUSTED)
    if type not in accepted:
        wanted = ", ".join(type_name(t) for t in accepted)
        null = reg.type & MAYBE_NULL and reg.type & ~MAYBE_NULL in accepted
        hint = (
            "compare the pointer with NULL before the call"
            if null
            else f"argument {regno} ({arg.name}) of bpf_{name} is {_words(kind)}"
        )
        raise Reject("argument", f"R{regno} type={type_name(reg.type)} expected={wanted}", hint=hint, regs=(regno,))
    if name == "kptr_xchg" and regno == 2 and meta.field is not None:
        check_kptr_store(run, meta.field, reg, regno)
    if type & KIND == BTF_ID and kind in ("btf", "sock") and arg.struct and reg.data is not None:
        _check_struct(run, reg, regno, arg)


def _check_struct(run: Run, reg: Reg, regno: int, arg: Arg) -> None:
    if run.setting.env.btf is None and reg.off == 0 and reg.data[1] == arg.struct:
        return
    if not begins_with(run, reg.data, arg.struct, reg.off):
        text = f"R{regno} is of type {reg.data[1]} but {arg.struct} is expected"
        raise Reject("argument", text, regs=(regno,))


def _words(kind: str) -> str:
    return {
        "ctx": "the program's context, as R1 was at the start",
        "map": "a map",
        "key": "memory that holds a key of the map",
        "value": "memory that holds a value of the map",
        "mem": "memory",
        "fixed": "memory",
        "size": "a number: the size of the memory",
        "size0": "a number: the size of the memory",
        "alloc_size": "a constant number",
        "record": "what bpf_ringbuf_reserve gave",
        "func": "a function of the program",
        "sock": "a socket",
    }.get(kind, f"a {kind}")


def _check_reg_off(reg: Reg, regno: int, arg: Arg) -> None:
    """Which offsets a pointer may have when it is passed."""
    kind = reg.type & KIND
    if arg.releases:
        if arg.kind.startswith("dynptr") and kind == STACK:
            return
        if reg.off:
            raise Reject("argument", f"R{regno} must have zero offset when passed to release func", regs=(regno,))
        check_unmodified(reg, regno)
    elif kind in _MAY_BE_ANY_KIND:
        return
    else:
        check_unmodified(reg, regno, fixed_ok=kind == BTF_ID)


def _check_release(run: Run, state: State, meta: Meta, reg: Reg, regno: int, kind: str) -> None:
    if kind.startswith("dynptr"):
        found = check_dynptr.find(run, state, reg) if reg.type == STACK else None
        if reg.type != STACK:
            raise Reject("reference", "cannot release unowned const bpf_dynptr", regs=(regno,))
        if found is None or not found.ref:
            raise Reject("reference", f"arg {regno} is an unacquired reference", regs=(regno,))
    elif not reg.ref and not reg.null:
        raise Reject(
            "reference",
            f"R{regno} must be referenced when passed to release function",
            hint="only what this program acquired can be released, and only once",
            regs=(regno,),
        )
    meta.release = regno


def _nothing(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    pass


def _map(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    if meta.map_uid and reg.extra != meta.map_uid:
        raise Reject(
            "argument", f"timer pointer in R1 map_uid={meta.map_uid} doesn't match map pointer in R2", regs=(regno,)
        )
    meta.map = reg.data
    meta.map_uid = reg.extra


def _key(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    if meta.map is None:
        raise Reject("argument", "invalid map_ptr to access map->key", regs=(regno,))
    check_memory(run, state, regno, meta.map.key_size, write=False, zero_ok=False)
    _note_uninitialised(run, state, reg, meta.map.key_size, "key")
    if meta.map.type in ARRAYS:
        meta.const_key = _constant_key(run, state, reg, meta.map.key_size)


def _constant_key(run: Run, state: State, reg: Reg, size: int) -> int:
    """The key, when it is a number on the stack that is known; else -1."""
    if reg.type != STACK or not reg.fixed or not (run.setting.bpf and run.setting.at_least("6.14")):
        return -1
    at = reg.off + s64(reg.num.value)
    index, byte = (-at - 1) >> 3, at & 7
    held = run.frame_of(reg).slot(index)
    kinds = held.bytes[byte : byte + size]
    if kinds.count(ZERO) == size:
        run.remember_stack(state, reg.extra, index)
        return 0
    spilled = held.bytes[byte:]
    if held.bytes[0] != SPILL or held.reg is None or not held.reg.const:
        return -1
    if len(spilled) - len(spilled.lstrip(bytes([SPILL]))) != size:
        return -1  # as in the kernel, the spilled bytes must end with the key
    wanted = run.wanted_slot(state, reg.extra, index)
    run.mark_wanted(state, wanted)
    return held.reg.num.value


def _note_uninitialised(run: Run, state: State, reg: Reg, size: int, what: str) -> None:
    """For a warning: bytes that reach the map as they were left on the stack."""
    if reg.type == STACK and reg.fixed:
        at = reg.off + s64(reg.num.value)
        frame = run.frame_of(reg)
        for i in range(at, at + size):
            if frame.slot((-i - 1) >> 3).bytes[i & 7] == INVALID:
                run.uninitialised.setdefault(state.insn, (what, f"fp{at}"))
                return


def _value(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    if arg.nullable and reg.null:
        return
    if meta.map is None:
        raise Reject("argument", "invalid map_ptr to access map->value", regs=(regno,))
    raw = arg.writes and not arg.reads
    _note_raw(
        meta,
        regno,
        check_memory(run, state, regno, meta.map.value_size, write=arg.writes, zero_ok=False, raw=raw),
        meta.map.value_size,
    )


def _note_raw(meta: Meta, regno: int, raw: bool, size: int) -> None:
    if raw:
        meta.raw = (regno, size)


def _fixed(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    raw = arg.writes and not arg.reads
    _note_raw(
        meta, regno, check_memory(run, state, regno, arg.size, write=arg.writes, zero_ok=False, raw=raw), arg.size
    )
    if arg.size == 8:  # the results of strtol and its like are stored at once
        memory.check_alignment(run, reg, 0, arg.size, True)


def _size(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    zero_ok = arg.kind == "size0"
    target = meta.helper.args[regno - 2]
    num = reg.num
    meta.max_size = num.umax
    if num.smin < 0:
        raise Reject(
            "argument",
            f"R{regno} min value is negative, either use unsigned or 'var &= const'",
            hint="sizes are not negative: check that it is at least 0, or mask it",
            regs=(regno,),
        )
    if num.umin == 0 and not zero_ok:
        raise Reject(
            "argument",
            f"R{regno} invalid zero-sized read: u64=[{num.umin},{num.umax}]",
            hint="check that the size is not 0",
            regs=(regno,),
        )
    if num.umax >= MAX_OFFSET:
        raise Reject(
            "argument",
            f"R{regno} unbounded memory access, use 'var &= const' or 'if (var < const)'",
            hint="bound the size by that of the memory",
            regs=(regno,),
        )
    raw = target.writes and not target.reads and num.const
    done = check_memory(run, state, regno - 1, num.umax, write=target.writes, zero_ok=zero_ok, raw=raw)
    _note_raw(meta, regno - 1, done, num.umax)
    run.mark_precise(state, regno)


def _alloc_size(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    if not reg.fixed:
        raise Reject(
            "argument", f"R{regno} is not a known constant", hint="this size must be a constant", regs=(regno,)
        )
    meta.mem_size = reg.num.value
    run.mark_precise(state, regno)


def _func(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    meta.subprog = reg.data


def _lock(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    change_lock(run, state, reg, regno, taken=meta.helper.name == "spin_lock")


def _timer(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    check_timer(reg, regno)
    meta.map_uid = reg.extra


def _kptr(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    meta.field = check_kptr(run, reg, regno)


def _variable(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    meta.variable = reg


def _str(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    check_string(reg, regno)


def _dynptr(run: Run, state: State, meta: Meta, reg: Reg, regno: int, arg: Arg) -> None:
    if arg.kind == "dynptr_new":
        kind = "ringbuf" if meta.helper.name == "ringbuf_reserve_dynptr" else "local"
        make_dynptr(run, state, reg, regno, kind)
    else:
        meta.dynptr = check_dynptr(run, state, reg, regno, arg.kind == "dynptr_ringbuf")


_CHECKS = {
    "map": _map,
    "key": _key,
    "value": _value,
    "fixed": _fixed,
    "size": _size,
    "size0": _size,
    "alloc_size": _alloc_size,
    "func": _func,
    "lock": _lock,
    "timer": _timer,
    "kptr": _kptr,
    "str": _str,
    "percpu_btf": _variable,
    "dynptr": _dynptr,
    "dynptr_new": _dynptr,
    "dynptr_ringbuf": _dynptr,
}


def check_memory(
    run: Run, state: State, regno: int, size: int, *, write: bool, zero_ok: bool, raw: bool = False
) -> bool:
    """The memory behind a register holds `size` bytes that the function may read, or write.

    True when the function fills memory that need not be initialised, which the caller then marks.
    """
    reg = state.frames[-1].regs[regno]
    kind = reg.type & KIND
    if kind in PACKETS:
        check_packet(reg, regno, reg.off, size, zero_ok)
    elif kind == MAP_KEY:
        if write:
            raise Reject("type", f"R{regno} cannot write into {type_name(reg.type)}", regs=(regno,))
        check_region(reg, regno, reg.off, size, reg.data.key_size)
    elif kind == MAP_VALUE:
        check_map_access(reg.data, reg.off, size, write)
        check_map_region(reg, regno, reg.off, size, zero_ok, False)
    elif kind == MEM:
        if reg.type & RDONLY and write:
            raise Reject("type", f"R{regno} cannot write into {type_name(reg.type)}", regs=(regno,))
        check_region(reg, regno, reg.off, size, reg.data, zero_ok)
    elif kind == BUF:
        memory._fixed_buffer("rdonly" if reg.type & RDONLY else "rdwr", reg, regno, reg.off)
    elif kind == STACK:
        return stack.check_range(run, state, reg, regno, reg.off, size, write=write, zero_ok=zero_ok, raw=raw)
    elif kind == BTF_ID:
        from .btfwalk import access

        access(run, state, reg, regno, reg.off, size, False)
    elif kind == CTX and not run.setting.program_rules.context.name:
        if size or not zero_ok:
            memory.access(run, state, regno, size - 1, 1, write, None, -1)
    elif not (zero_ok and size == 0 and reg.null):
        text = f"R{regno} type={type_name(reg.type)} expected=fp"
        raise Reject("argument", text, hint="memory is expected: NULL is allowed with size 0 only", regs=(regno,))
    return False


# -- what changes


def _apply(run: Run, state: State, slot: int, helper: HelperRules, meta: Meta, regs: list[Reg]) -> int:
    name = helper.name
    if name in _MAP_WRITES and meta.map is not None and not meta.map.program_writes:
        raise Reject("type", "write into map forbidden", hint="the map was created read-only for programs")
    if meta.raw is not None:
        regno, size = meta.raw
        for i in range(size):
            memory.access(run, state, regno, i, 1, True, None, -1)
    if meta.release:
        release(run, state, meta, regs[meta.release])
    if name == "tail_call":
        run.check_resources(state, "tail_call", locks=True)
    elif name == "get_local_storage":
        if not regs[2].null:
            raise Reject("argument", "get_local_storage() doesn't support non-zero flags", regs=(2,))
    elif name == "timer_set_callback":
        push_callback(run, state, slot, meta.subprog, "timer")
    elif name in _CALLBACKS:
        _run_callback(run, state, slot, name, meta, regs)
    elif name == "dynptr_from_mem":
        if regs[1].type != MAP_VALUE:
            raise Reject(
                "argument", f"Unsupported reg type {type_name(regs[1].type)} for bpf_dynptr_from_mem data", regs=(1,)
            )
    elif name == "get_func_ip":
        kind = run.setting.prog_type
        if kind not in (ProgType.KPROBE, ProgType.TRACING):
            raise Reject("helper", f"func bpf_get_func_ip#{helper.id} not supported for program type {kind}")
    elif name == "snprintf":
        _check_snprintf(regs)
    packet = helper.changes_packet
    if name == "dynptr_write" and meta.dynptr is not None and meta.dynptr.data in ("skb", "skb_meta"):
        packet = True
    returned = _string_bound(helper, meta)
    clobber(regs)
    give_result(run, state, slot, helper, meta, returned)
    _check_map_fits(run, meta)
    if packet:
        forget_packets(state)
    if name == "tail_call" and len(state.frames) > 1 and run.tracks_early_ends:
        return end_early(run, state, slot, ANY, packet=True)
    return slot + 1


_MAP_WRITES = frozenset(("map_update_elem", "map_delete_elem", "map_push_elem", "map_pop_elem"))
_UPDATES_SOCKMAPS = frozenset(
    (
        ProgType.SOCKET_FILTER,
        ProgType.SCHED_CLS,
        ProgType.SCHED_ACT,
        ProgType.XDP,
        ProgType.SK_REUSEPORT,
        ProgType.FLOW_DISSECTOR,
        ProgType.SK_LOOKUP,
    )
)


def _run_callback(run: Run, state: State, slot: int, name: str, meta: Meta, regs: list[Reg]) -> None:
    if name == "loop":
        run.mark_precise(state, 1)
        frame = state.frames[-1]
        if frame.calls >= regs[1].num.umax:
            frame.calls = 0
            return
    if name == "for_each_map_elem" and regs[1].data.type not in _WALKABLE:
        raise Reject("argument", "callback function not allowed for map")
    push_callback(run, state, slot, meta.subprog, _CALLBACKS[name])


_WALKABLE = frozenset((1, 2, 5, 6, 9, 10, 35))


def _check_snprintf(regs: list[Reg]) -> None:
    if regs[5].num.value % 8 or (regs[5].const and regs[5].num.value and regs[4].null):
        raise Reject("argument", "invalid data of bpf_snprintf: an array of u64 is expected", regs=(4, 5))


def _string_bound(helper: HelperRules, meta: Meta) -> Num | None:
    """For functions that return how much they wrote, or an error: not more than there was room for."""
    if helper.name not in _RETURN_LENGTH:
        return None
    top = meta.max_size if meta.max_size < 1 << 63 else meta.max_size - (1 << 64)
    return sync(tuple.__new__(Num, (0, U64, 0, U64, -4095, top, 0, (1 << 32) - 1, -4095, top)))


_RETURN_LENGTH = frozenset(
    ("get_stack", "get_task_stack", "probe_read_str", "probe_read_kernel_str", "probe_read_user_str")
)


def _check_map_fits(run: Run, meta: Meta) -> None:
    """The helper takes maps of this type, and the map's type has no helpers of its own that it excludes."""
    target = meta.map
    if target is None:
        return
    name = meta.helper.name
    if target.type in (MapType.SOCKMAP, MapType.SOCKHASH) and name in ("map_update_elem", "map_delete_elem"):
        kind = run.setting.prog_type
        iterates = kind == ProgType.TRACING and run.setting.attach_type == AttachType.TRACE_ITER
        if (
            kind not in _UPDATES_SOCKMAPS
            and not iterates
            and not (kind == ProgType.SOCK_OPS and name == "map_delete_elem")
        ):
            raise Reject("argument", f"cannot pass map_type {target.type} into func bpf_{name}#{meta.helper.id}")
        return
    types = _MAPS_OF.get(name)
    if target.type not in types if types is not None else not run.setting.rules.map_allows(target.type, meta.helper.id):
        raise Reject(
            "argument",
            f"cannot pass map_type {target.type} into func bpf_{meta.helper.name}#{meta.helper.id}",
            hint=f"bpf_{meta.helper.name} does not work on {_map_name(target.type)} maps",
        )


_MAPS_OF: dict[str, frozenset[int]] = {
    "skb_output": frozenset((MapType.PERF_EVENT_ARRAY,)),
    "xdp_output": frozenset((MapType.PERF_EVENT_ARRAY,)),
    "inode_storage_get": frozenset((MapType.INODE_STORAGE,)),
    "inode_storage_delete": frozenset((MapType.INODE_STORAGE,)),
    "for_each_map_elem": _WALKABLE,
    "timer_init": frozenset(MapType),
    "ringbuf_reserve_dynptr": frozenset((MapType.RINGBUF,)),
    "user_ringbuf_drain": frozenset((MapType.USER_RINGBUF,)),
}
"""Helpers whose maps probing does not tell, because their other arguments are hard to make."""


def _map_name(number: int) -> str:
    return MapType(number).name if number in list(MapType) else str(number)
