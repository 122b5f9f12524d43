# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Jumps: which way they may go, and what each way tells about registers, packets and NULL."""

from __future__ import annotations

from ...asm.opcodes import Class, Jmp
from ...uapi.map import MapType
from ..memory.speculation import mispredict
from ..numbers import num as numbers
from ..numbers import tnum
from ..numbers.arith import apply
from ..numbers.compare import FLIPPED, INVERSE, outcome, refine
from ..numbers.num import Num, sync
from ..program import JA, JA32, MAY_GOTO
from ..pruning.convergence import previous_entry, widen
from ..reject import Reject, unread
from ..state import SPILL, Slot, State
from ..values import (
    ALLOC,
    AT_END,
    BEYOND_END,
    BTF_ID,
    KIND,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    PKT,
    PKT_END,
    PKT_META,
    SCALAR,
    SOCKET,
    STACK,
    UNTRUSTED,
    XDP_SOCK,
    Reg,
    scalar,
)
from .alu import failing, reserved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from ..program import Op
    from .alu import Step

ADD = 0
MAX_PACKET = 0xFFFF
MAX_LINKED = 6
"""Equal numbers beyond so many are forgotten to be equal."""
_IN_PACKET = frozenset((PKT, PKT_META, PKT_END))


def compile_jump(run: Run, slot: int, op: Op) -> Step:
    """The step of a jump, conditional or not (calls and exits are elsewhere)."""
    opcode, dst, src, off, imm = op
    kind = opcode & 0xF0
    if kind == Jmp.JA:
        if opcode not in (JA, JA32) or src or dst or (off if opcode == JA32 else imm):
            raise reserved("BPF_JA")
        target = slot + 1 + (imm if opcode == JA32 else off)

        def jump(run: Run, state: State) -> int:
            return target

        return jump
    if kind == Jmp.JCOND:
        if opcode != MAY_GOTO or src or dst or imm:
            raise Reject("encoding", f"invalid may_goto imm {imm}")
        return _may_goto(slot, slot + 1 + off)
    wide = opcode & 7 == Class.JMP
    if opcode & 8:
        late = reserved("BPF_JMP/JMP32") if imm else None
        if late is not None or dst > 10 or src > 10:
            return failing((dst,) if late is not None else (dst, src), late)
        return _conditional(slot, slot + 1 + off, kind, wide, dst, src, None)
    late = reserved("BPF_JMP/JMP32") if src else None
    if late is not None or dst > 10:
        return failing((dst,), late)
    return _conditional(slot, slot + 1 + off, kind, wide, dst, -1, scalar(imm))


def _may_goto(slot: int, target: int) -> Step:
    """Jumps when the budget of the loop is used up; going on is explored later, one iteration deeper, and widened."""

    def step(run: Run, state: State) -> int:
        run.explored.jumps += 1
        other = state.copy()
        other.insn = slot + 1
        other.may_goto += 1
        previous = previous_entry(state.parent.state, slot)  # the parent is the checkpoint made at this very jump
        if previous is not None:
            widen(previous, other)
        run.push(other, slot)
        return target

    return step


_OF_EQUALS: dict[int, bool] = {
    **dict.fromkeys((Jmp.JEQ, Jmp.JGE, Jmp.JLE, Jmp.JSGE, Jmp.JSLE), True),
    **dict.fromkeys((Jmp.JNE, Jmp.JGT, Jmp.JLT, Jmp.JSGT, Jmp.JSLT), False),
}
"""How a register compares with itself, which Linux 7.2 knows."""


def _conditional(slot: int, target: int, kind: int, wide: bool, dst: int, src: int, constant: Reg | None) -> Step:
    after = slot + 1
    itself = _OF_EQUALS.get(kind) if constant is None and src == dst else None

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        run.explored.jumps += 1
        a = regs[dst]
        if not a.type:
            raise unread(dst)
        if constant is not None:
            b = constant
        else:
            b = regs[src]
            if not b.type:
                raise unread(src)
            if b.type != SCALAR and not (a.type in _IN_PACKET and b.type in _IN_PACKET):
                run.check_leak(b, f"R{src} pointer comparison prohibited")
        if itself is not None and a.type == SCALAR and run.setting.at_least("7.2"):
            taken: bool | None = itself
        elif a.type == SCALAR and b.type == SCALAR:
            taken = outcome(kind, wide, a.num, b.num)
        else:
            taken = _outcome_of_pointers(kind, wide, a, b)
        if taken is not None:
            if a.type == SCALAR:
                run.mark_precise(state, dst)
            if constant is None and b.type == SCALAR:
                run.mark_precise(state, src)
            if not run.setting.perfmon:
                mispredict(run, state, slot, after if taken else target, (dst,) if constant is not None else (dst, src))
            return target if taken else after
        linked = _linked(run, state, a, b) if a.id or b.id else None
        if linked is not None and len(linked) > 1:
            run.remember_linked(linked)
        other = state.copy()
        other.insn = target
        run.push(other, slot)
        if a.type == SCALAR and b.type == SCALAR:
            yes, yes_b = refine(kind, wide, a.num, b.num)
            no, no_b = refine(INVERSE[kind], wide, a.num, b.num)
            other_regs = other.frames[-1].regs
            if constant is None and src == dst:
                yes, no = _both(yes, yes_b), _both(no, no_b)
            elif constant is None:
                _learn(other, other_regs, src, b, yes_b, linked)
                _learn(state, regs, src, b, no_b, linked)
            _learn(other, other_regs, dst, a, yes, linked)
            _learn(state, regs, dst, a, no, linked)
        elif wide and kind in (Jmp.JEQ, Jmp.JNE) and a.type & MAYBE_NULL and _is_null(run, constant, b):
            mark_null(run, other, a, kind == Jmp.JEQ)
            mark_null(run, state, a, kind == Jmp.JNE)
        elif wide and constant is None and _one_is_valid(run, kind, a, b):
            maybe = a if a.type & MAYBE_NULL else b
            mark_null(run, other if kind == Jmp.JEQ else state, maybe, False)
        elif constant is not None or not _match_packet(kind, wide, dst, src, a, b, state, other):
            run.check_leak(a, f"R{dst} pointer comparison prohibited")
        return after

    return step


# -- which way


def _outcome_of_pointers(kind: int, wide: bool, a: Reg, b: Reg) -> bool | None:
    if a.type in _IN_PACKET and b.type in _IN_PACKET and wide:
        return _outcome_at_end(kind, a, b)
    if not (b.const if wide else b.type == SCALAR and b.num.const32):
        a, b, kind = b, a, FLIPPED[kind]
        if not (b.const if wide else b.type == SCALAR and b.num.const32):
            return None
    if a.type == SCALAR or not a.never_null or (b.num[0] if wide else b.num[0] & 0xFFFFFFFF):
        return None
    return {Jmp.JEQ: False, Jmp.JNE: True}.get(Jmp(kind))


def _outcome_at_end(kind: int, a: Reg, b: Reg) -> bool | None:
    """A packet pointer that was compared with the end before."""
    if a.type == PKT_END:
        packet, kind = b, FLIPPED[kind]
    elif b.type == PKT_END:
        packet = a
    else:
        return None
    reach = packet.data
    if reach is None or reach >= 0:
        return None
    if kind in (Jmp.JLE, Jmp.JGT) and reach == BEYOND_END:
        return kind == Jmp.JGT
    if kind in (Jmp.JLT, Jmp.JGE):
        return kind == Jmp.JGE
    return None


# -- numbers


_ALL = (1 << 10) - 1


def _linked(run: Run, state: State, a: Reg, b: Reg) -> tuple[tuple[int, int, bool], ...]:
    """Where the numbers live that are known to equal the compared ones, or to differ by a constant: (frame, place, on stack)."""
    ids = {reg.id for reg in (a, b) if reg.type == SCALAR and reg.id}
    found: list[tuple[int, int, bool]] = []
    if not ids:
        return ()
    for f in range(len(state.frames) - 1, -1, -1):
        frame = state.frames[f]
        live = _ALL
        if run.links_live_only:
            at = state.insn if f == len(state.frames) - 1 else state.frames[f + 1].callsite
            live = run.registers.before[at]
        for i in range(10):
            reg = frame.regs[i]
            if reg.id in ids and reg.type == SCALAR and live >> i & 1:
                if len(found) < MAX_LINKED:
                    found.append((f, i, False))
                else:
                    frame.regs[i] = Reg(SCALAR, reg.num)
        for i, slot in enumerate(frame.stack):
            spilled = slot.reg
            if spilled is not None and spilled.id in ids and spilled.type == SCALAR and slot.bytes[0] == SPILL:
                if len(found) < MAX_LINKED:
                    found.append((f, i, True))
                else:
                    frame.stack[i] = Slot(slot.bytes, Reg(SCALAR, spilled.num))
    return tuple(found)


def _learn(
    state: State, regs: list[Reg], place: int, old: Reg, num: Num, linked: tuple[tuple[int, int, bool], ...] | None
) -> None:
    """What a comparison told of a register, told also to those that are linked with it."""
    known = Reg(SCALAR, num, 0, old.id, 0, old.data)
    regs[place] = known
    if not old.id or not linked:
        return
    for f, i, on_stack in linked:
        frame = state.frames[f]
        if on_stack:
            slot = frame.stack[i]
            if slot.reg is not None and slot.reg.id == old.id:
                frame.stack[i] = Slot(slot.bytes, _shifted(known, slot.reg))
        elif frame.regs[i].id == old.id and frame.regs[i].type == SCALAR and not (frame.regs is regs and i == place):
            frame.regs[i] = _shifted(known, frame.regs[i])


def _shifted(known: Reg, reg: Reg) -> Reg:
    """`reg`, which differs from `known` by a constant, with what is known of that."""
    moved, wide = reg.data or (0, True)
    known_moved, known_wide = known.data or (0, True)
    if moved == known_moved and (known_wide == wide or not moved):
        return known
    if reg.data is None:
        wide = known_wide
    elif known.data is not None and known_wide != wide:
        base = apply(ADD, known_wide, known.num, numbers.const(-known_moved))
        return Reg(SCALAR, apply(ADD, wide, base, numbers.const(moved)), 0, reg.id, 0, reg.data)
    return Reg(SCALAR, apply(ADD, wide, known.num, numbers.const(moved - known_moved)), 0, reg.id, 0, reg.data)


def _both(a: Num, b: Num) -> Num:
    """A number compared with itself learns as its left side, then as its right."""
    low, high = _narrower(a, b)
    return sync(
        tuple.__new__(Num, (*tnum.intersect(a[:2], b[:2]), *(x for pair in zip(low, high, strict=True) for x in pair)))
    )


def _narrower(a: Num, b: Num) -> tuple[list[int], list[int]]:
    """The greater lower bounds and the lesser upper bounds, range by range."""
    return [max(a[i], b[i]) for i in (2, 4, 6, 8)], [min(a[i], b[i]) for i in (3, 5, 7, 9)]


# -- NULL


def _is_null(run: Run, constant: Reg | None, b: Reg) -> bool:
    """Whether a pointer is compared with NULL: a constant 0, or (in Linux 7.2) a register that holds it."""
    return constant.null if constant is not None else b.null and run.setting.at_least("7.2")


def _one_is_valid(run: Run, kind: int, a: Reg, b: Reg) -> bool:
    """Two pointers are compared for equality, and exactly one of them may be NULL."""
    if kind not in (Jmp.JEQ, Jmp.JNE) or a.type == SCALAR or b.type == SCALAR:
        return False
    if a.type & KIND == BTF_ID or b.type & KIND == BTF_ID:
        return False
    if STACK in (a.type, b.type) and run.setting.at_least("7.2"):
        return False
    return bool(a.type & MAYBE_NULL) != bool(b.type & MAYBE_NULL)


def mark_null(run: Run, state: State, pointer: Reg, null: bool) -> None:
    """All copies of a pointer that may be NULL are now known to be NULL, or known not to be."""
    id = pointer.id
    if null and pointer.ref and pointer.ref == id:
        state.release(id)  # what was not acquired need not be released

    def settle(reg: Reg) -> Reg:
        if reg.id != id or not reg.type & MAYBE_NULL:
            return reg
        if reg.num != numbers.ZERO or (reg.off and not reg.type & (ALLOC | UNTRUSTED)):
            return reg  # not null + offset; the kernel leaves such a pointer alone
        return scalar(0) if null else valid(reg)

    for frame in state.frames:
        for i in range(10):
            frame.regs[i] = settle(frame.regs[i])
        for i, slot in enumerate(frame.stack):
            if slot.reg is not None and slot.bytes[0] == SPILL:
                new = settle(slot.reg)
                if new is not slot.reg:
                    frame.stack[i] = Slot(slot.bytes, new)


def valid(reg: Reg) -> Reg:
    """The pointer without the possibility of being NULL."""
    type, data, uid = reg.type & ~MAYBE_NULL, reg.data, reg.extra
    id = 0
    if type == MAP_VALUE:
        if data.inner is not None:
            type, data, uid = MAP_PTR, data.inner, reg.id if data.inner.specials else 0
        elif data.type == MapType.XSKMAP:
            type, data = XDP_SOCK, None
        elif data.type in (MapType.SOCKMAP, MapType.SOCKHASH):
            type, data = SOCKET, None
        elif data.has("spin_lock", "res_spin_lock"):
            id = reg.id  # a lock is known by the lookup that it came from
    elif type & ALLOC:
        id = reg.id  # and one in an object by where that was allocated
    return Reg(type, reg.num, reg.off, id, reg.ref, data, uid)


# -- the end of the packet


def _match_packet(kind: int, wide: bool, dst: int, src: int, a: Reg, b: Reg, state: State, other: State) -> bool:
    """A packet pointer is compared with the end of what it points into: how far it reaches on either side."""
    if not wide:
        return False
    if _reaches(a, b):
        packet = a
    elif _reaches(b, a):
        packet, kind = b, FLIPPED[kind]
    else:
        return False
    place = dst if packet is a else src
    if kind == Jmp.JGT:  # packet > end: behind it when taken; inside, or at it, otherwise
        _extend(state, packet, 0)
        _at_end(other, place, BEYOND_END)
    elif kind == Jmp.JGE:
        _extend(state, packet, 1)
        _at_end(other, place, AT_END)
    elif kind == Jmp.JLT:
        _extend(other, packet, 1)
        _at_end(state, place, AT_END)
    elif kind == Jmp.JLE:
        _extend(other, packet, 0)
        _at_end(state, place, BEYOND_END)
    else:
        return False
    return True


def _reaches(packet: Reg, end: Reg) -> bool:
    """Whether `end` bounds what `packet` points into: the packet's end; for metadata, the start of the packet."""
    if packet.type == PKT:
        return end.type == PKT_END
    return packet.type == PKT_META and end.type == PKT and end.num == numbers.ZERO and not end.off


def _at_end(state: State, place: int, reach: int) -> None:
    """The compared register itself is now known to lie at or behind the end."""
    regs = state.frames[-1].regs
    if regs[place].type == PKT:
        regs[place] = regs[place].replace(data=reach)


def _extend(state: State, packet: Reg, inside: int) -> None:
    """All pointers with the same variable part may reach as far as `packet` points.

    `inside` is 1 when the byte that it points at is certainly there too.
    """
    if packet.off < 0 or (packet.off == 0 and inside):
        return  # the kernel learns nothing from a comparison of the very start
    if packet.num[3] + packet.off > MAX_PACKET:
        return
    reach = packet.off + inside

    def change(reg: Reg) -> Reg:
        if reg.type == packet.type and reg.id == packet.id and reg.data < reach:
            return reg.replace(data=reach)
        return reg

    state.rewrite(change)
