# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""The arguments of a helper: what must hold of each kind, and what they tell of the call (`Meta`)."""

from __future__ import annotations

from ...kernel.helper_facts import (
    PACKET_ARGUMENTS,
)
from ...uapi.map import MapType
from ...uapi.prog import ProgType
from ..maps import ARRAYS, MAX_OFFSET, Map
from ..memory.bounds import check_alignment
from ..memory.buffers import check_memory
from ..memory.special import (
    change_lock,
    check_dynptr,
    check_kptr,
    check_string,
    check_timer,
    make_dynptr,
    owned_dynptr,
)
from ..numbers.num import s64
from ..reject import Reject, unread
from ..state import INVALID, SPILL, ZERO, State
from ..values import (
    KIND,
    PACKETS,
    STACK,
    Reg,
)
from .accepts import ACCEPTED, check_offset, check_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...btf.fields import Special
    from ...kernel import Arg, HelperRules
    from ..explore import Run


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
        "timer",
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
        self.timer: Reg | None = None  # the value that it lies in
        self.variable: Reg | None = None  # of each CPU


def check_argument(run: Run, state: State, meta: Meta, index: int, arg: Arg, number: int) -> None:
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
        check_type(run, meta, reg, regno, arg, kind, accepted)
        check_offset(reg, regno, arg)
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


def _check_release(run: Run, state: State, meta: Meta, reg: Reg, regno: int, kind: str) -> None:
    if kind.startswith("dynptr"):
        if reg.type != STACK:
            raise Reject("reference", "cannot release unowned const bpf_dynptr", regs=(regno,))
        if not owned_dynptr(run, reg):
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
    timer = meta.timer
    if timer is not None and (timer.data is not reg.data or timer.extra != reg.extra):
        raise Reject("argument", "timer pointer in R1 doesn't match map pointer in R2", regs=(regno,))
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
    run.mark_precise_slot(state, reg.extra, index)
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
        check_alignment(run, reg, 0, arg.size, True)


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
    meta.timer = reg


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
