"""Calls as Python text: helpers, kfuncs, functions of the program, and look-ups done in place."""

from __future__ import annotations

from ..asm.opcodes import Call
from .effects import helper_arity
from .emit import NO_PACKET, SIGNED_RESULT, SURPRISE
from .helpers.table import KFUNCS, MODELS, QUIET, VARIADIC, name_of
from .memory import FRAME_SIZE
from .ranges import FULL, SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .emit import Emitter, Value

_CLEAN_RESULT = frozenset(
    [
        "map_lookup_elem",
        "map_lookup_percpu_elem",
        "ringbuf_reserve",
        "ktime_get_ns",
        "ktime_get_boot_ns",
        "get_prandom_u32",
        "get_smp_processor_id",
        "get_current_pid_tgid",
        "get_current_uid_gid",
    ]
)
_CALLS_BACK = frozenset(("loop", "for_each_map_elem", "user_ringbuf_drain"))
_KFUNCS_CALL_BACK = frozenset(("bpf_throw", "bpf_rbtree_add_impl"))  # and what ends the program inside


def clobber(e: Emitter) -> None:
    """r1 to r5 hold nothing after a call; those that the program reads all the same are emptied."""
    for reg in range(1, 6):
        if reg in e.texts:
            e.forget(reg)
        if e.live >> reg & 1:
            e.release(reg)
            e.put(f"r{reg} = None")
        e.state[reg] = None


def call(e: Emitter, insn: Insn) -> None:
    kind, imm = insn[2], insn[4]
    if kind == Call.LOCAL:
        local_call(e, e.slot + imm + 1)
    elif kind == Call.KFUNC:
        kfunc(e, insn)
    else:
        helper(e, imm)
    clobber(e)


def arguments(e: Emitter, arity: int) -> str:
    """The run and the arguments of a call as text."""
    registers = range(1, 6) if arity == VARIADIC else range(1, arity + 1)
    for reg in registers if arity != VARIADIC else (1, 2):
        e.use(reg)
    for reg in registers:
        if e.state[reg] is not None:
            e.clean(reg)
    return ", ".join(["S", *(e.text(reg) if e.state[reg] is not None else "0" for reg in registers)])


def helper(e: Emitter, number: int) -> None:
    name = name_of(number)
    if name is None or (name not in MODELS and name not in e.shape.replaced):
        e.put(SURPRISE)
        e.know(0, FULL)
        return
    plain = name not in e.shape.replaced
    if number == 1 and plain and lookup(e):
        return
    touches = any(e.state[r] is not None and e.state[r][0] == "f" for r in range(1, 6))
    args = arguments(e, helper_arity(number))
    if name == "tail_call":
        e.put(f"a = H{number}({args})")
        e.put_counted(f"if a is None: S.insns += {{}}; return S.enter_tail({e.text(1)}), 0")
        e.assign(0, "a", SIGNED_RESULT)
    elif name in _CALLS_BACK:
        synchronised(e, f"H{number}({args})", SIGNED_RESULT)
    else:
        e.assign(0, f"H{number}({args})", FULL if plain and name in _CLEAN_RESULT else SIGNED_RESULT)
    if touches or not plain or name not in QUIET:
        e.forget_stack()
    if not plain or name not in QUIET:
        packet_moved(e)


def lookup(e: Emitter) -> bool:
    """A map lookup with everything known: the key is taken from the stack and looked up in place."""
    map_, key = e.state[1], e.state[2]
    if map_ is None or key is None or map_[0] != "m" or key[0] != "f" or e.promoted is not None:
        return False
    fast = e.shape.maps.get(map_[1])
    start = FRAME_SIZE + key[1]
    if fast is None or not 0 <= start <= FRAME_SIZE - fast[0]:
        return False
    size, is_dict = fast
    e.assign(0, f"L{map_[1]}(B{size}s(S1, {start})[0]{', 0' if is_dict else ''})", FULL)
    return True


def local_call(e: Emitter, target: int) -> None:
    if target not in e.starts:
        e.put(SURPRISE)
        e.know(0, FULL)
        return
    args = []
    for reg in range(1, 6):
        if e.state[reg] is not None:
            e.clean(reg)
        args.append(e.text(reg))
    e.calls.setdefault(target, []).append([e.state[reg] for reg in range(1, 6)])
    synchronised(e, f"S.call(IMAGE, {target}, ({', '.join(args)}))", FULL)
    e.forget_stack()
    packet_moved(e)


def synchronised(e: Emitter, text: str, value: Value) -> None:
    """A call that executes program code: what was counted so far goes in, and counting begins anew."""
    e.uses.add("n")
    e.put_counted("S.insns += {}")
    e.assign(0, text, value)
    e.put_counted("n -= {}")
    if e.loops:
        e.put("B = S.budget - S.insns")


def kfunc(e: Emitter, insn: Insn) -> None:
    name = insn.symbol
    if name is None or (name not in KFUNCS and name not in e.shape.replaced):
        e.put(SURPRISE)
        e.know(0, FULL)
        return
    arity = VARIADIC if name in e.shape.replaced else KFUNCS[name][0]
    text = f"H{e.slot}k({arguments(e, arity)})"
    if name in _KFUNCS_CALL_BACK:
        synchronised(e, text, SIGNED_RESULT)
    else:
        e.assign(0, text, SIGNED_RESULT)
    e.forget_stack()
    packet_moved(e)


def packet_moved(e: Emitter) -> None:
    """The packet may lie elsewhere now."""
    for reg in range(10):
        value = e.state[reg]
        if value is not None and value[0] == "p":
            e.state[reg] = FULL
    slots = e.state[SLOTS].items()
    e.state[SLOTS] = {at: (size, FULL if value[0] == "p" else value) for at, (size, value) in slots}
    if e.shape.data != NO_PACKET:
        e.put("PK = S.ctx.packet.view")
