"""More kinds of generated programs: memory of maps, legacy loads, loops of every kind, callbacks, deep calls, tail calls."""

from __future__ import annotations

from pybpf_vm_tests_generate import (  # loaded by conftest before this
    SCALARS,
    SIZES,
    Pick,
    beginning,
    counted,
    ending,
    exchanged,
    imm,
    statements,
    wide,
)

from pybpf import ProgArray, ProgramSpec
from pybpf.asm import Insn
from pybpf.asm.opcodes import Alu, Atomic, Class, Jmp, Mode, Size, Src
from pybpf.btf import BtfBuilder
from pybpf.spec import MapSpec
from pybpf.uapi import MapType, ProgType

CELLS = MapSpec(MapType.ARRAY, 4, 64, 1, name="m")
_CALLER_SAVED = (1, 2, 3, 4, 5)
_FETCHING = (Atomic.ADD, Atomic.OR, Atomic.AND, Atomic.XOR)


def refreshed(pick: Pick, *regs: int) -> list[Insn]:
    return [Insn.ld_imm64(reg, wide(pick)) for reg in regs]


def in_map(pick: Pick) -> list[Insn]:
    """An access to the value of the map through a register, which is a number again behind it."""
    base = pick.one(SCALARS)
    other = pick.one([r for r in SCALARS if r != base])
    size = pick.one((1, 2, 4, 8))
    at = size * pick.number(0, 64 // size - 1)
    start = 8 * pick.number(0, at // 8)
    letter = SIZES[size]
    atomic = Class.STX | Mode.ATOMIC
    kind = pick.number(0, 6)
    if kind == 0:
        access = Insn(Class.STX | Mode.MEM | letter, base, other, at - start)
    elif kind == 1:
        access = Insn(Class.ST | Mode.MEM | letter, base, 0, at - start, imm(pick))
    elif kind == 2:
        access = Insn(Class.LDX | (Mode.MEMSX if size < 8 else Mode.MEM) | letter, other, base, at - start)
    elif kind == 3:
        access = Insn(atomic | letter, other, base, at - start, int(Atomic.LOAD_ACQ))
    elif kind == 4:
        access = Insn(atomic | letter, base, other, at - start, int(Atomic.STORE_REL))
    else:
        size = pick.one((4, 8))
        at = size * pick.number(0, 64 // size - 1)
        start = 8 * pick.number(0, at // 8)
        op = pick.one((*_FETCHING, *(o | Atomic.FETCH for o in _FETCHING), Atomic.XCHG, Atomic.CMPXCHG))
        if op == Atomic.CMPXCHG and base == 0:
            op = Atomic.XCHG
        access = Insn(atomic | SIZES[size], base, other, at - start, int(op))
    return [Insn(0x18, base, 2, 0, 0, start, symbol="m"), *exchanged(access), *refreshed(pick, base)]


def legacy(pick: Pick) -> list[Insn]:
    """A legacy packet load, mostly of what is there: r0 gets the number, r1 to r5 are lost."""
    size = pick.one((Size.B, Size.H, Size.W))
    offset = pick.one((0, 1, 12, 14, 20, 23, 30, 60, -0x100000, -0x100000 + 9, -0x200000, -0x200000 + 12))
    if not pick.number(0, 40):
        offset = pick.one((83, 84, 200, -1, -0x200001, 0x7FFFFFFF))
    if pick.number(0, 1):
        load = [Insn(Class.LD | Mode.ABS | size, imm=offset)]
    else:
        index = pick.one((0, 1, 2, 5))
        src = pick.one((7, 8, 9))
        load = [Insn(Class.ALU64 | Alu.MOV, src, imm=index), Insn(Class.LD | Mode.IND | size, 0, src, 0, offset)]
    return [*load, *refreshed(pick, *_CALLER_SAVED)]


def may_goto(pick: Pick) -> list[Insn]:
    """A loop that may_goto bounds and that a counter ends; r7 counts."""
    body = [i for i in mixture(pick, pick.number(1, 3), plain=True) if i.dst != 7 and i.opcode & 7 not in (5, 6)]
    body = [i for i in body if not (i.opcode & 0xE7 == Class.STX | Mode.ATOMIC and i.src == 7)]
    distance = sum(i.slots for i in body)
    return [
        Insn(Class.ALU64 | Alu.MOV, 7, imm=pick.number(1, 9)),
        Insn(Class.JMP | Jmp.JCOND, off=distance + 2),
        *body,
        Insn(Class.ALU64 | Alu.SUB, 7, imm=1),
        Insn(Class.JMP | Jmp.JNE, 7, off=-(distance + 3), imm=0),
    ]


def signed_division(pick: Pick) -> list[Insn]:
    """Divisions at their edges: the smallest number by -1, by zero, by a register."""
    a, b = pick.one(SCALARS), pick.one(SCALARS)
    numbers = (0, 1, -1, 2, -2, 1 << 31, -(1 << 31), 1 << 63, (1 << 63) - 1, (1 << 31) - 1)
    op = Insn(pick.one((Class.ALU, Class.ALU64)) | pick.one((Alu.DIV, Alu.MOD)) | Src.X, a, b, pick.number(0, 1))
    return [Insn.ld_imm64(a, pick.one(numbers)), Insn.ld_imm64(b, pick.one(numbers)), op]


def shift(pick: Pick) -> list[Insn]:
    """Shifts by registers whose upper bits must be ignored."""
    a, b = pick.one(SCALARS), pick.one(SCALARS)
    count = pick.one((0, 1, 31, 32, 33, 63, 64, 65, 255, -1, 1 << 32, (1 << 32) + 5))
    op = pick.one((Alu.LSH, Alu.RSH, Alu.ARSH))
    return [Insn.ld_imm64(b, count), Insn(pick.one((Class.ALU, Class.ALU64)) | op | Src.X, a, b)]


def mixture(pick: Pick, count: int, plain: bool = False) -> list[Insn]:
    out: list[Insn] = []
    kinds = (in_map, in_map, signed_division, shift, *[lambda p: statements(p, 2)] * 2)
    if not plain:
        kinds = (*kinds, may_goto, lambda p: counted(p))
    for _ in range(count):
        out += pick.one(kinds)(pick)
    return out


def memory(pick: Pick) -> ProgramSpec:
    """Statements on registers, stack and a map, and legacy loads between them."""
    code = beginning(pick)
    for _ in range(pick.number(2, 6)):
        code += mixture(pick, 2)
        if not pick.number(0, 2):
            code += legacy(pick)
    kind = pick.one((ProgType.SOCKET_FILTER, ProgType.SCHED_CLS))
    return ProgramSpec([*code, *ending()], kind, name="memory", maps={"m": CELLS})


def _function(pick: Pick, label: str, body: list[Insn], last: list[Insn]) -> list[Insn]:
    """A function whose numbers come from its arguments (which may be pointers: r2 is kept in r6, not used as a number)."""
    code = [
        Insn(Class.ALU64 | Alu.MOV | Src.X, 6, 2, label=label),
        *[Insn(Class.ALU64 | Alu.MOV | Src.X, reg, 1) for reg in (0, 2, 3, 4, 5, 7, 8, 9)],
        *[Insn(Class.STX | Mode.MEM | Size.DW, 10, 1, -64 + 8 * i) for i in range(8)],
        *refreshed(pick, pick.one((2, 3, 4)), pick.one((7, 8, 9))),
    ]
    return [*code, *body, *last]


def described(code: list[Insn], name: str) -> ProgramSpec:
    """A program with BTF for its functions, which the kernel asks of those that are callbacks."""
    builder = BtfBuilder()
    proto = builder.add_func_proto(builder.add_int("int", 4, True), [])
    places, slot = [], 0
    for insn in code:
        if not slot or insn.label:
            places.append((slot, builder.add_func(insn.label or "main", proto, 0 if slot else 1)))
        slot += insn.slots
    return ProgramSpec(
        code, ProgType.SCHED_CLS, name=name, maps={"m": CELLS}, btf=builder.to_bytes(), func_info=tuple(places)
    )


def _loop(pick: Pick, label: str, times: int) -> list[Insn]:
    """bpf_loop of a function over the 64 bytes of our stack."""
    return [
        Insn(Class.ALU64 | Alu.MOV, 1, imm=times),
        Insn(0x18, 2, 4, 0, 0, 0, symbol=label),
        Insn(Class.ALU64 | Alu.MOV | Src.X, 3, 10),
        Insn(Class.ALU64 | Alu.ADD, 3, imm=-64),
        Insn(Class.ALU64 | Alu.MOV, 4, imm=pick.one((0, 0, 0, 0, 1))),
        Insn(Class.JMP | Jmp.CALL, imm=181),
        *refreshed(pick, *_CALLER_SAVED),
    ]


def callbacks(pick: Pick) -> ProgramSpec:
    """Loops in callbacks, up to three deep, that change the stack of who called them, and end early."""
    depth = pick.number(1, 3)
    code = [*beginning(pick), *mixture(pick, 2, plain=True), *_loop(pick, "f0", pick.one((0, 1, 3, 7)))]
    code += [*mixture(pick, 1, plain=True), *ending()]
    for level in range(depth):
        body = mixture(pick, 2, plain=True)
        if level + 1 < depth:
            body += _loop(pick, f"f{level + 1}", pick.one((0, 1, 2, 4)))
        touched = [
            Insn(
                Class.STX | Mode.ATOMIC | Size.DW,
                6,
                pick.one((3, 4, 8)),
                8 * pick.number(0, 7),
                int(pick.one(_FETCHING)),
            )
            for _ in range(pick.number(0, 2))
        ]
        ends = pick.one(
            (
                [Insn(Class.ALU64 | Alu.MOV, 0, imm=0)],
                [Insn(Class.ALU64 | Alu.MOV, 0, imm=1)],
                [Insn(Class.ALU64 | Alu.AND, 0, imm=1)],
            )
        )
        code += _function(pick, f"f{level}", body, [*touched, *ends, Insn(Class.JMP | Jmp.EXIT)])
    return described(code, "callbacks")


def deep_calls(pick: Pick) -> ProgramSpec:
    """A chain of functions as deep as the kernel lets, each of which returns a number of its own."""
    depth = pick.number(1, 7)
    code = [*beginning(pick), *_call(pick, "f0"), *mixture(pick, 1), *ending()]
    for level in range(depth):
        body = mixture(pick, 2)
        if level + 1 < depth:
            for _ in range(pick.one((1, 1, 2)) if level < 4 else 1):
                body += _call(pick, f"f{level + 1}")
        code += _function(pick, f"f{level}", body, [Insn(Class.JMP | Jmp.EXIT)])
    return ProgramSpec(code, ProgType.SCHED_CLS, name="deep", maps={"m": CELLS})


def _call(pick: Pick, label: str) -> list[Insn]:
    second = Insn(Class.ALU64 | Alu.MOV, 2, imm=imm(pick))
    return [second, Insn(Class.JMP | Jmp.CALL, src=1, symbol=label), *refreshed(pick, *_CALLER_SAVED)]


def tail_calls(pick: Pick) -> list[ProgramSpec]:
    """Programs that call each other through `programs`, some places of which are empty; `m` counts who ran."""
    number = pick.number(1, 4)
    programs = ProgArray(max_entries=5, name="programs")
    out = []
    for which in range(number):
        code = [*beginning(pick), *mixture(pick, 1, plain=True)]
        code += [
            Insn(0x18, 1, 2, 0, 0, 0, symbol="m"),
            Insn(Class.ALU64 | Alu.MOV, 2, imm=1),
            Insn(Class.STX | Mode.ATOMIC | Size.DW, 1, 2, 8 * which, int(Atomic.ADD)),
        ]
        for _ in range(pick.number(1, 2)):
            index = pick.one((0, 0, 1, 1, 2, 3, 4, 5, -1))
            code += [
                Insn(Class.ALU64 | Alu.MOV | Src.X, 1, 6),
                Insn(0x18, 2, 1, 0, 0, 0, symbol="programs"),
                Insn(Class.ALU64 | Alu.MOV, 3, imm=index),
                Insn(Class.JMP | Jmp.CALL, imm=12),
                *refreshed(pick, *_CALLER_SAVED),
                *refreshed(pick, 0),
            ]
        code += ending()
        out.append(ProgramSpec(code, ProgType.SCHED_CLS, name=f"t{which}", maps={"m": CELLS, "programs": programs}))
    return out
