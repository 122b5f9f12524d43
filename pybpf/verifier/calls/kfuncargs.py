"""The arguments of a kernel function: what must hold of each kind, and what they tell of the call (`Call`)."""

from __future__ import annotations

from ...btf.kinds import Kind
from ...errors import BtfError
from ...kernel.kfuncs import KERNEL_CONTEXTS
from ..maps import MAX_OFFSET
from ..memory.btfwalk import begins_with
from ..memory.buffers import check_memory
from ..memory.pointers import check_unmodified
from ..memory.special import change_lock, check_dynptr, check_timer, make_dynptr
from ..numbers.tnum import U32
from ..reject import Reject, Unsure
from ..state import RES_LOCK, State
from ..values import (
    ALLOC,
    BTF_ID,
    CTX,
    FUNC,
    KIND,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    NON_OWN,
    RCU,
    SCALAR,
    SOCKETS,
    TRUSTED,
    UNTRUSTED,
    Reg,
    type_name,
)
from . import critical, iterators, objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...btf.fields import Special
    from ...kernel.kfuncs import Kfunc
    from ..explore import Run
    from ..state import Frame

    Check = Callable[[Run, State, "Call", int, str], None]


class Call:
    """What the arguments of a call told."""

    __slots__ = (
        "certain",
        "dynptr",
        "iterator",
        "kfunc",
        "map",
        "pushed",
        "release",
        "root",
        "size",
        "struct",
        "subprog",
    )

    def __init__(self, rules: Kfunc) -> None:
        self.kfunc = rules
        self.release = 0
        self.map: Reg | None = None  # the value that a work queue lies in
        self.size = 0
        self.dynptr: Reg | None = None
        self.iterator: tuple[Frame, int, int] | None = None  # frame, its number, first slot
        self.struct = ""  # of the object that the call makes
        self.certain = False  # the result is no NULL, whatever the table says
        self.root: Special | None = None  # the list or tree
        self.pushed = 0  # the reference that the list or tree takes over
        self.subprog = -1


def not_known(name: str, when: str = "") -> None:
    text = f"calls of the kernel function {name} {when}".rstrip()
    raise Unsure(f"{text} are not modelled", hint="load the program to ask the kernel")


def _number(run: Run, state: State, call: Call, index: int, of: str) -> None:
    if state.frames[-1].regs[index + 1].type != SCALAR:
        raise Reject("argument", f"R{index + 1} is not a scalar", hint="a number is expected", regs=(index + 1,))


def _anything(run: Run, state: State, call: Call, index: int, of: str) -> None:
    pass


def _map(run: Run, state: State, call: Call, index: int, of: str) -> None:
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.type == MAP_PTR:
        check_unmodified(reg, regno)
        value = call.map
        if value is not None and reg.data.has("wq") and (value.data is not reg.data or value.extra != reg.extra):
            raise Reject("argument", "workqueue pointer in R1 doesn't match map pointer in R2", regs=(regno,))
        return
    _object(run, state, call, index, "bpf_map")


def _memory(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """Memory of a fixed size, or of the size that the next argument tells."""
    if not of:
        _sized_memory(run, state, index)
    elif not state.regs[index + 1].null:
        _not_null(state, index + 1)
        for write in (False, True):
            check_memory(run, state, index + 1, int(of), write=write, zero_ok=False)


def _sized_memory(run: Run, state: State, index: int) -> None:
    """Memory whose size is the next argument; as in the kernel, a pointer that may be NULL is taken."""
    regno = index + 1
    number = state.regs[regno + 1]
    if number.type != SCALAR:
        raise Reject("argument", f"R{regno + 1} is not a scalar", regs=(regno + 1,))
    refused = f"arg#{index} arg#{index + 1} memory, len pair leads to invalid memory access"
    if number.num.smin < 0 or number.num.umax >= MAX_OFFSET:
        raise Reject("argument", refused, hint="bound the size first, from 0 to that of the memory", regs=(regno + 1,))
    size = number.num.umax
    run.mark_precise(state, regno + 1)
    if state.regs[regno].null and not size:
        return
    _not_null(state, regno)
    try:
        for write in (False, True):
            check_memory(run, state, regno, size, write=write, zero_ok=True)
    except Reject as error:
        raise Reject("argument", f"{refused}: {error.message}", hint=error.hint, regs=(regno,)) from None


def _not_null(state: State, regno: int) -> None:
    reg = state.regs[regno]
    if reg.type & MAYBE_NULL:
        state.regs[regno] = reg.replace(type=reg.type & ~MAYBE_NULL)


def _lock(kind: int, taken: bool) -> Check:
    def check(run: Run, state: State, call: Call, index: int, of: str) -> None:
        reg = state.frames[-1].regs[index + 1]
        if reg.type not in (MAP_VALUE, BTF_ID | ALLOC):
            raise Reject("argument", f"arg#{index} doesn't point to map value or allocated object", regs=(index + 1,))
        change_lock(run, state, reg, index + 1, taken=taken, kind=kind)

    return check


def _work_queue(run: Run, state: State, call: Call, index: int, of: str) -> None:
    reg = state.frames[-1].regs[index + 1]
    if reg.type != MAP_VALUE:
        raise Reject("argument", f"arg#{index} doesn't point to a map value", regs=(index + 1,))
    check_timer(reg, index + 1, "wq")
    call.map = reg


def _callback(run: Run, state: State, call: Call, index: int, of: str) -> None:
    reg = state.frames[-1].regs[index + 1]
    if reg.type != FUNC:
        raise Reject("argument", f"arg{index} expected pointer to func", regs=(index + 1,))
    call.subprog = reg.data


def _kernel_type(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """The id of a type in the kernel's BTF."""
    regno = index + 1
    number = objects.known_constant(run, state, regno)
    try:
        found = run.setting.kernel_btf().type(number).stripped
    except BtfError:
        raise Reject("argument", f"Unknown type ID {number} passed to kfunc {call.kfunc.name}") from None
    if found.kind in (Kind.STRUCT, Kind.UNION):
        call.struct = found.name
    elif found.kind != Kind.VOID or not run.setting.at_least("6.17"):
        raise Reject("argument", "kfunc bpf_rdonly_cast type ID argument must be of a struct or void", regs=(regno,))


def _context(run: Run, state: State, call: Call, index: int, of: str) -> None:
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    behind = None if run.setting.program_rules.context.name == of else KERNEL_CONTEXTS.get(of)
    if reg.type in (BTF_ID | TRUSTED, BTF_ID | RCU) and behind is not None and reg.data == ("kernel", behind):
        return
    if reg.type != CTX:
        text = f"arg#{index} expected pointer to ctx, but got {type_name(reg.type)}"
        raise Reject("argument", text, regs=(regno,))
    check_unmodified(reg, regno)


def _object(run: Run, state: State, call: Call, index: int, of: str, *, rcu: bool = False) -> Reg:
    """A pointer to a kernel object that is certainly valid."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.null or reg.type & MAYBE_NULL:
        raise Reject(
            "null",
            f"Possibly NULL pointer passed to trusted arg{index}",
            hint="compare the pointer with NULL before the call",
            regs=(regno,),
        )
    kind = reg.type & KIND
    if kind in SOCKETS:
        not_known(call.kfunc.name, "with a socket")
    if kind != BTF_ID:
        raise Reject("argument", f"arg#{index} is {type_name(reg.type)}, expected a struct {of}", regs=(regno,))
    if not (reg.ref and not reg.type & NON_OWN) and not (reg.type & TRUSTED and not reg.type & UNTRUSTED):
        if not rcu:
            raise Reject("argument", f"R{regno} must be referenced or trusted", regs=(regno,))
        if not reg.type & RCU:
            raise Reject("argument", f"R{regno} must be a rcu pointer", regs=(regno,))
    check_unmodified(reg, regno, fixed_ok=True)
    _check_struct(run, call, reg, index, of)
    return reg


def _check_struct(run: Run, call: Call, reg: Reg, index: int, of: str) -> None:
    space, have = reg.data
    if have == of and space == "kernel" and not reg.off:
        return
    text = f"kernel function {call.kfunc.name} args#{index} expected pointer to STRUCT {of} but R{index + 1} has {have}"
    strict = "acquire" in call.kfunc.effects or any(kind == "own" for kind, _ in call.kfunc.args)
    if not strict and begins_with(run, reg.data, of, reg.off):
        return
    raise Reject("argument", text, regs=(index + 1,))


def _rcu_object(run: Run, state: State, call: Call, index: int, of: str) -> None:
    _object(run, state, call, index, of, rcu=True)


def _trusted_object(run: Run, state: State, call: Call, index: int, of: str) -> None:
    _object(run, state, call, index, of)


def _owned_object(run: Run, state: State, call: Call, index: int, of: str) -> None:
    if state.regs[index + 1].off:
        text = f"R{index + 1} must have zero offset when passed to release func or trusted arg to kfunc"
        raise Reject("argument", text, regs=(index + 1,))
    reg = _object(run, state, call, index, of)
    if not reg.ref:
        text = f"release kernel function {call.kfunc.name} expects refcounted PTR_TO_BTF_ID"
        raise Reject("reference", text, hint="only what this program acquired can be released", regs=(index + 1,))
    call.release = reg.ref


def _dynptr(run: Run, state: State, call: Call, index: int, of: str) -> None:
    call.dynptr = check_dynptr(run, state, state.frames[-1].regs[index + 1], index + 1, False)


def _new_dynptr(kind: str) -> Check:
    def check(run: Run, state: State, call: Call, index: int, of: str) -> None:
        make_dynptr(run, state, state.frames[-1].regs[index + 1], index + 1, kind)

    return check


def _clone_dynptr(run: Run, state: State, call: Call, index: int, of: str) -> None:
    assert call.dynptr is not None
    make_dynptr(run, state, state.frames[-1].regs[index + 1], index + 1, call.dynptr.data, call.dynptr.ref)


def _slice(run: Run, state: State, call: Call, index: int, of: str) -> None:
    size = state.regs[index + 2]
    if not state.regs[index + 1].null:
        _sized_memory(run, state, index)
    if not size.const:
        raise Reject("argument", f"R{index + 2} must be a known constant", regs=(index + 2,))
    call.size = size.num.value & U32


CHECKS = {
    "num": _number,
    "size": _anything,  # looked at together with its buffer
    "any": _anything,
    "ctx": _context,
    "trusted": _trusted_object,
    "rcu": _rcu_object,
    "own": _owned_object,
    "iter.new": iterators.begin,
    "iter.next": iterators.initialised,
    "iter.end": iterators.end,
    "dynptr": _dynptr,
    "dynptr.skb": _new_dynptr("skb"),
    "dynptr.xdp": _new_dynptr("xdp"),
    "dynptr.clone": _clone_dynptr,
    "slice": _slice,
    "irq.save": critical.save_irq,
    "irq.restore": critical.restore_irq,
    "map": _map,
    "mem": _memory,
    "wq": _work_queue,
    "func": _callback,
    "type": _kernel_type,
    "new": objects.constant_type,
    "drop": objects.owned,
    "counted": objects.counted,
    "root": objects.root,
    "node": objects.node,
    "linked": objects.linked,
    "lock": _lock(RES_LOCK, True),
    "unlock": _lock(RES_LOCK, False),
}
