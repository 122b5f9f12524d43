"""Objects that programs allocate, and the lists and trees that own them: what must hold, and what calls change.

A program that allocates an object owns a reference to it, which it drops or hands to a list or tree.  What it then still knows of
the object is a pointer that does not own it (NON_OWN), good until the lock that guards the list is given back.
"""

from __future__ import annotations

from ...btf import Struct
from ...btf.kinds import Kind
from ...errors import BtfError
from ..memory.pointers import check_unmodified
from ..memory.special import drop_reference
from ..numbers.num import s64
from ..reject import Reject
from ..state import LOCK, RES_LOCK, State
from ..values import ALLOC, BTF_ID, KIND, MAP_VALUE, MAYBE_NULL, NON_OWN, PERCPU, RCU, Reg, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...btf.fields import Special
    from ..explore import Run
    from .kfuncargs import Call

_ROOTS = {"list": ("list_head", "list_node"), "rb": ("rb_root", "rb_node")}
_MAX_PERCPU = 512


# -- what must hold


def known_constant(run: Run, state: State, regno: int) -> int:
    """The number in a register, which the program must know."""
    reg = state.frames[-1].regs[regno]
    if not reg.const:
        raise Reject("argument", f"R{regno} must be a known constant", regs=(regno,))
    run.mark_precise(state, regno)
    return reg.num.value


def constant_type(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """The id of a structure in the program's BTF, known when the program is checked."""
    regno = index + 1
    number = known_constant(run, state, regno)
    btf = run.program_btf()
    if btf is None:
        raise Reject("btf", f"{call.kfunc.name} requires prog BTF")
    try:
        found = btf.type(number)
    except BtfError:
        raise Reject("argument", "type ID argument must be of a struct", regs=(regno,)) from None
    if not isinstance(found, Struct) or found.is_union:
        raise Reject("argument", "type ID argument must be of a struct", regs=(regno,))
    if of == "percpu":
        if found.size > _MAX_PERCPU:
            text = f"bpf_percpu_obj_new type size ({found.size}) is greater than {_MAX_PERCPU}"
            raise Reject("argument", text, regs=(regno,))
        if run.object_fields(found.name):
            raise Reject("argument", "bpf_percpu_obj_new type ID argument must not contain special fields")
    call.struct = found.name


def owned(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """An object of the program, which the call takes."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    wanted = BTF_ID | ALLOC | (PERCPU if of == "percpu" else 0)
    if reg.null or reg.type == wanted | MAYBE_NULL:
        raise Reject("null", f"Possibly NULL pointer passed to trusted arg{index}", regs=(regno,))
    if reg.type & ~NON_OWN != wanted:
        text = f"arg#{index} expected pointer to allocated object, not {type_name(reg.type)}"
        raise Reject("argument", text, regs=(regno,))
    if reg.off:
        text = f"R{regno} must have zero offset when passed to release func or trusted arg to kfunc"
        raise Reject("argument", text, regs=(regno,))
    if not reg.ref:
        raise Reject("reference", "allocated object must be referenced", regs=(regno,))
    call.release = reg.ref


def counted(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """An object of the program that counts its owners."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.null or reg.type & MAYBE_NULL:
        raise Reject("null", f"Possibly NULL pointer passed to trusted arg{index}", regs=(regno,))
    if reg.type & ~(NON_OWN | RCU) != BTF_ID | ALLOC:
        raise Reject("argument", f"arg#{index} is neither owning or non-owning ref", regs=(regno,))
    if not any(field.kind == "refcount" for field in run.object_fields(reg.data[1])):
        raise Reject("argument", f"arg#{index} doesn't point to a type with bpf_refcount field", regs=(regno,))
    call.struct = reg.data[1]
    call.certain = bool(reg.ref) and not reg.type & NON_OWN


def root(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """A list's head, or a tree's root, whose lock is held."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    kind = _ROOTS[of][0]
    if reg.type not in (MAP_VALUE, BTF_ID | ALLOC):
        raise Reject("argument", f"arg#{index} expected pointer to map value or allocated object", regs=(regno,))
    if reg.type == BTF_ID | ALLOC and not reg.ref:
        raise Reject("reference", "allocated object must be referenced", regs=(regno,))
    field = _field(run, reg, regno, kind)
    _check_locked(run, state, reg, kind, regno)
    call.root = field


def node(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """A node that the call puts into the list or tree: the program owns it until then."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.type != BTF_ID | ALLOC:
        raise Reject("argument", f"arg#{index} expected pointer to allocated object", regs=(regno,))
    if not reg.ref:
        raise Reject("reference", "allocated object must be referenced", regs=(regno,))
    _check_node(run, call, reg, index, of)
    call.pushed = reg.ref


def linked(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """A node that may be in the tree: the program does not own it, or (since Linux 6.16) not alone."""
    reg = state.frames[-1].regs[index + 1]
    if reg.type & MAYBE_NULL and run.setting.at_least("7.2"):
        raise Reject("null", f"Possibly NULL pointer passed to trusted R{index + 1}", regs=(index + 1,))
    if reg.type & MAYBE_NULL:
        check_unmodified(reg, index + 1)
    owns = bool(reg.ref) and run.setting.at_least("6.16")
    if not reg.type & NON_OWN and not owns:
        raise Reject("argument", f"{call.kfunc.name} can only take non-owning or refcounted bpf_rb_node pointer")
    if state.frames[-1].callback == "rbtree":
        raise Reject("argument", f"{call.kfunc.name} not allowed in rbtree cb")
    _check_node(run, call, reg, index, of)


def _field(run: Run, reg: Reg, regno: int, kind: str) -> Special:
    """The special field that a pointer points at."""
    if not reg.fixed:
        text = f"R{regno} doesn't have constant offset. bpf_{kind} has to be at the constant offset"
        raise Reject("argument", text, regs=(regno,))
    fields: tuple[Special, ...] = ()
    if reg.type == MAP_VALUE:
        fields = reg.data.specials
    elif reg.type & KIND == BTF_ID and reg.data[0] == "program":
        fields = run.object_fields(reg.data[1])
    at = reg.off + s64(reg.num.value)
    for field in fields:
        if field.kind == kind and field.offset == at:
            return field
    raise Reject("argument", f"bpf_{kind} not found at offset={at}", regs=(regno,))


def _check_node(run: Run, call: Call, reg: Reg, index: int, of: str) -> None:
    field = _field(run, reg, index + 1, _ROOTS[of][1])
    assert call.root is not None
    wanted = node_offset(run, call.root)
    if reg.data[1] != call.root.struct or field.offset != wanted:
        text = (
            f"operation on bpf_{_ROOTS[of][0]} expects arg#{index} bpf_{_ROOTS[of][1]} at offset={wanted} "
            f"in struct {call.root.struct}, but arg is at offset={field.offset} in struct {reg.data[1]}"
        )
        raise Reject("argument", text, regs=(index + 1,))


def _check_locked(run: Run, state: State, reg: Reg, what: str, regno: int) -> None:
    held = state.lock()
    if held is None:
        raise Reject("lock", f"bpf_spin_lock must be held for bpf_{what}", regs=(regno,))
    owner = reg.data
    if not any(one[0] & (LOCK | RES_LOCK) and one[1] == reg.id and one[3] == owner for one in state.held):
        raise Reject("lock", "held lock and object are not in the same allocation", regs=(regno,))


def node_offset(run: Run, field: Special) -> int:
    """Where in its nodes a list or tree is linked."""
    btf = run.program_btf()
    assert btf is not None
    for found in btf.find_all(field.struct, Kind.STRUCT):
        for member in found.members:  # type: ignore[attr-defined]
            if member.name == field.node:
                return int(member.bit_offset // 8)
    raise Reject("btf", f"no member {field.node!r} in struct {field.struct}")


# -- what changes


def hand_over(state: State, ref: int) -> None:
    """What the program owned belongs to a list or tree: its pointers no longer own it."""

    def change(reg: Reg) -> Reg:
        if reg.ref == ref and reg.type & KIND == BTF_ID:
            return reg.replace(ref=0, type=reg.type | NON_OWN)
        return reg

    state.rewrite(change)
    drop_reference(state, ref)


def node_pointer(run: Run, field: Special, flags: int) -> Reg:
    """A pointer to the member that links a node."""
    return Reg(BTF_ID | ALLOC | flags, off=node_offset(run, field), data=("program", field.struct))
