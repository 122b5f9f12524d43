"""What jumps, joins and loops do to what is known of registers (the forms of knowledge are listed in `emit.py`)."""

from __future__ import annotations

from ..asm.opcodes import Class, Jmp, Src
from .memory import MASK32, MASK64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .emit import State, Value

FULL = (0, MASK64)
SLOTS = 11  # where a state keeps what is known of stack slots, behind r0 to r10
SIGNED_JUMPS = frozenset(map(int, (Jmp.JSGT, Jmp.JSGE, Jmp.JSLT, Jmp.JSLE)))
_THRESHOLDS = ((1 << 31) - 1, MASK64)
_JMP, _X, _JEQ, _JNE, _JGT, _JGE, _JLT, _JLE = map(
    int, (Class.JMP, Src.X, Jmp.JEQ, Jmp.JNE, Jmp.JGT, Jmp.JGE, Jmp.JLT, Jmp.JLE)
)  # plain ints are compared faster
_OPPOSITE = {_JEQ: _JNE, _JNE: _JEQ, _JGT: _JLE, _JLE: _JGT, _JGE: _JLT, _JLT: _JGE}
_TO_UNSIGNED = {int(Jmp.JSGT): _JGT, int(Jmp.JSGE): _JGE, int(Jmp.JSLT): _JLT, int(Jmp.JSLE): _JLE}


def outcomes(insn: Insn, state: State) -> tuple[State, State]:
    """`state` where a jump falls through, and where it is taken: with what that says about the ranges of its operands.

    A copy where something is new.
    """
    opcode, d, s, _, imm, _ = insn
    op = opcode & 0xF0
    is_64 = opcode & 7 == _JMP
    top = MASK64 if is_64 else MASK32
    a = state[d]
    b = state[s] if opcode & _X else (imm & top, imm & top)
    if a is None or b is None or type(a[0]) is str or type(b[0]) is str:
        return state, state
    if not is_64 and (a[1] > MASK32 or b[1] > MASK32):
        return state, state
    if op in SIGNED_JUMPS:
        if a[1] > top >> 1 or b[1] > top >> 1:
            return state, state
        op = _TO_UNSIGNED[op]
    if op not in _OPPOSITE:
        return state, state
    register = s if opcode & _X else None
    return _refined(_OPPOSITE[op], state, d, register, a, b), _refined(op, state, d, register, a, b)


def _refined(op: int, state: State, d: int, s: int | None, a: tuple[int, int], b: tuple[int, int]) -> State:
    if op == _JNE and (b[0] != b[1] or a[0] < b[0] < a[1]):
        return state
    new_a, new_b = _narrow(op, a, b)
    if new_a == a and new_b == b:
        return state
    out = state.copy()
    if new_a[0] <= new_a[1]:
        out[d] = new_a
    if s is not None and new_b[0] <= new_b[1]:
        out[s] = new_b
    return out


def _narrow(op: int, a: tuple[int, int], b: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    if op == _JEQ:
        both = (max(a[0], b[0]), min(a[1], b[1]))
        return both, both
    if op == _JNE:
        if b[0] == b[1]:
            a = (a[0] + (a[0] == b[0]), a[1] - (a[1] == b[0]))
        return a, b
    if op == _JGT:
        return (max(a[0], b[0] + 1), a[1]), (b[0], min(b[1], a[1] - 1))
    if op == _JGE:
        return (max(a[0], b[0]), a[1]), (b[0], min(b[1], a[1]))
    if op == _JLT:
        return (a[0], min(a[1], b[1] - 1)), (max(b[0], a[0] + 1), b[1])
    return (a[0], min(a[1], b[1])), (max(b[0], a[0]), b[1])


def join(a: State, b: State) -> State:
    if a == b:
        return a
    out = [x if x is y or x == y else _either(x, y) for x, y in zip(a, b, strict=True)]
    left, right = a[SLOTS], b[SLOTS]
    out.pop()
    out.append(
        left
        if left is right
        else {
            at: (size, value if right[at][1] == value else _either(value, right[at][1]))
            for at, (size, value) in left.items()
            if at in right and right[at][0] == size
        }
    )
    return out


def _either(x: Value, y: Value) -> Value:
    if x is None or y is None:
        return None
    if type(x) is dict:
        return x
    if type(x[0]) is str or type(y[0]) is str:
        return FULL
    return (min(x[0], y[0]), max(x[1], y[1]))


def widen(old: State, new: State, sweep: int) -> State:
    """What a loop's beginning must expect: growing ranges jump to a threshold, so that this ends soon."""
    joined = join(old, new)
    if joined == old:
        return old
    if sweep > 4:
        return [x if x == y else None for x, y in zip(old[:SLOTS], joined[:SLOTS], strict=True)] + [{}]
    out = [_grow(x, y) for x, y in zip(old[:SLOTS], joined[:SLOTS], strict=True)]
    before = old[SLOTS]
    out.append({at: (size, _grow(before[at][1], value)) for at, (size, value) in joined[SLOTS].items()})
    return out


def _grow(old: Value, new: Value) -> Value:
    if old == new or old is None or new is None or type(new[0]) is str or type(old[0]) is str:
        return new
    low = new[0] if new[0] >= old[0] else min(new[0], 1) if new[0] >= 0 else new[0]
    high = new[1] if new[1] <= old[1] else next((t for t in _THRESHOLDS if t >= new[1]), new[1])
    return (low, high)
