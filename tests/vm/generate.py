"""Plausible programs, made at random or by hypothesis: the grammar is one, the choices come from a `Pick`."""

from __future__ import annotations

import random

from pybpf import ProgramSpec, asm
from pybpf.asm import Insn
from pybpf.asm.opcodes import Alu, Atomic, Class, Jmp, Mode, Size, Src
from pybpf.spec import MapSpec
from pybpf.uapi import MapType, ProgType

NUMBERS = (
    0,
    1,
    2,
    7,
    8,
    31,
    32,
    33,
    63,
    64,
    255,
    256,
    65535,
    0x7FFFFFFF,
    -1,
    -2,
    -128,
    -32768,
    -0x80000000,
    0x12345678,
)
WIDE = (0, 1, -1, 1 << 63, (1 << 63) - 1, 1 << 32, (1 << 32) - 1, 0xFFFFFFFF80000000, 0x80000000, 0x0123456789ABCDEF)
SIZES = {1: Size.B, 2: Size.H, 4: Size.W, 8: Size.DW}
BINARY = (Alu.ADD, Alu.SUB, Alu.MUL, Alu.DIV, Alu.OR, Alu.AND, Alu.LSH, Alu.RSH, Alu.MOD, Alu.XOR, Alu.MOV, Alu.ARSH)
JUMPS = tuple(j for j in Jmp if j not in (Jmp.JA, Jmp.CALL, Jmp.EXIT, Jmp.JCOND))
SCALARS = (0, 1, 2, 3, 4, 5, 7, 8, 9)  # r6 keeps the context


class Pick:
    """Choices from a seeded generator; the hypothesis tests have one that draws."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def number(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def one(self, items):
        return items[self.number(0, len(items) - 1)]


def imm(pick: Pick) -> int:
    return pick.one(NUMBERS) if pick.number(0, 2) else pick.number(-(1 << 31), (1 << 31) - 1)


def wide(pick: Pick) -> int:
    return pick.one(WIDE) if pick.number(0, 1) else pick.number(0, (1 << 64) - 1)


def arithmetic(pick: Pick) -> list[Insn]:
    cls = pick.one((Class.ALU, Class.ALU64))
    op, dst, src = pick.one(BINARY), pick.one(SCALARS), pick.one(SCALARS)
    off = 0
    if op in (Alu.DIV, Alu.MOD):
        off = pick.number(0, 1)
    if pick.number(0, 1):
        if op == Alu.MOV:
            off = pick.one((0, 8, 16) if cls == Class.ALU else (0, 8, 16, 32))
        return [Insn(cls | op | Src.X, dst, src, off)]
    value = imm(pick)
    if op in (Alu.DIV, Alu.MOD):
        value = value or 3
        if off and value == -1 and not pick.number(0, 3):
            value = -1
    if op in (Alu.LSH, Alu.RSH, Alu.ARSH):
        value = pick.number(0, 31 if cls == Class.ALU else 63)
    return [Insn(cls | op | Src.K, dst, 0, off if op in (Alu.DIV, Alu.MOD) else 0, value)]


def unary(pick: Pick) -> list[Insn]:
    dst = pick.one(SCALARS)
    kind = pick.number(0, 2)
    if kind == 0:
        return [Insn(pick.one((Class.ALU, Class.ALU64)) | Alu.NEG, dst)]
    bits = pick.one((16, 32, 64))
    opcode = Class.ALU64 | Alu.END if kind == 1 else Class.ALU | Alu.END | pick.one((Src.K, Src.X))
    return [Insn(opcode, dst, imm=bits)]


def constant(pick: Pick) -> list[Insn]:
    return [Insn.ld_imm64(pick.one(SCALARS), wide(pick))]


def stack(pick: Pick) -> list[Insn]:
    size = pick.one((1, 2, 4, 8))
    at = -64 + size * pick.number(0, 64 // size - 1)
    letter = SIZES[size]
    kind = pick.number(0, 3)
    if kind == 0:
        return [Insn(Class.STX | Mode.MEM | letter, 10, pick.one(SCALARS), at)]
    if kind == 1:
        return [Insn(Class.ST | Mode.MEM | letter, 10, 0, at, imm(pick))]
    if kind == 2 and size < 8:
        return [Insn(Class.LDX | Mode.MEMSX | letter, pick.one(SCALARS), 10, at)]
    return [Insn(Class.LDX | Mode.MEM | letter, pick.one(SCALARS), 10, at)]


def atomic(pick: Pick) -> list[Insn]:
    size = pick.one((4, 8))
    at = -64 + size * pick.number(0, 64 // size - 1)
    ops = (Atomic.ADD, Atomic.OR, Atomic.AND, Atomic.XOR)
    op = pick.one((*ops, *(o | Atomic.FETCH for o in ops), Atomic.XCHG, Atomic.CMPXCHG))
    return exchanged(Insn(Class.STX | Mode.ATOMIC | SIZES[size], 10, pick.one(SCALARS), at, int(op)))


def exchanged(insn: Insn) -> list[Insn]:
    """An atomic operation; behind a 32-bit compare-and-exchange the upper half of r0 is cleared by hand.

    x86 leaves it alone when the exchange succeeds, and Linux 6.18 clears it only where the verifier saw it being read, which it
    does not on a path that it pruned: seen in one of some 3,000 generated programs.  The machine always clears it, as
    RFC 9669 says.
    """
    clear = insn.imm == Atomic.CMPXCHG and insn.opcode == Class.STX | Mode.ATOMIC | Size.W
    return [insn, Insn(Class.ALU | Alu.MOV | Src.X, 0, 0)] if clear else [insn]


def ordered(pick: Pick) -> list[Insn]:
    size = pick.one((1, 2, 4, 8))
    at = -64 + size * pick.number(0, 64 // size - 1)
    if pick.number(0, 1):
        return [Insn(Class.STX | Mode.ATOMIC | SIZES[size], pick.one(SCALARS), 10, at, int(Atomic.LOAD_ACQ))]
    return [Insn(Class.STX | Mode.ATOMIC | SIZES[size], 10, pick.one(SCALARS), at, int(Atomic.STORE_REL))]


def branch(pick: Pick, depth: int = 0) -> list[Insn]:
    """A conditional jump over some instructions."""
    body = statements(pick, pick.number(1, 4), depth + 1)
    distance = sum(i.slots for i in body)
    cls = pick.one((Class.JMP, Class.JMP32))
    if pick.number(0, 1):
        jump = Insn(cls | pick.one(JUMPS) | Src.X, pick.one(SCALARS), pick.one(SCALARS), distance)
    else:
        jump = Insn(cls | pick.one(JUMPS) | Src.K, pick.one(SCALARS), 0, distance, imm(pick))
    if pick.number(0, 2) or depth > 2:
        return [jump, *body]
    other = statements(pick, pick.number(1, 3), depth + 1)
    skip = Insn(Class.JMP | Jmp.JA, off=sum(i.slots for i in other))
    return [jump.replace(off=distance + 1), *body, skip, *other]


def counted(pick: Pick, depth: int = 0) -> list[Insn]:
    """A loop that runs a fixed number of times; r7 counts and is left alone by the body."""
    body = [i for i in statements(pick, pick.number(1, 3), 3) if _spares(i, 7)]
    distance = sum(i.slots for i in body)
    times = pick.number(1, 5)
    return [
        Insn(Class.ALU64 | Alu.MOV, 7, imm=times),
        *body,
        Insn(Class.ALU64 | Alu.SUB, 7, imm=1),
        Insn(Class.JMP | Jmp.JNE, 7, off=-(distance + 2), imm=0),
    ]


def _spares(insn: Insn, reg: int) -> bool:
    atomic_src = insn.opcode & 0xE7 == Class.STX | Mode.ATOMIC
    return insn.dst != reg and not (atomic_src and insn.src == reg) and insn.opcode & 7 not in (5, 6)


def statements(pick: Pick, count: int, depth: int = 0) -> list[Insn]:
    out: list[Insn] = []
    for _ in range(count):
        kind = pick.number(0, 11)
        if kind >= 10 and depth < 3:
            out += counted(pick, depth) if kind == 11 and depth == 0 else branch(pick, depth)
        elif kind <= 4:
            out += arithmetic(pick)
        elif kind == 5:
            out += unary(pick)
        elif kind == 6:
            out += constant(pick)
        elif kind == 7:
            out += atomic(pick)
        elif kind == 8:
            out += ordered(pick) if pick.number(0, 1) else stack(pick)
        else:
            out += stack(pick)
    return out


def beginning(pick: Pick) -> list[Insn]:
    """Every register and the 64 bytes of stack hold something known."""
    out = [asm.Insn(Class.ALU64 | Alu.MOV | Src.X, 6, 1)]
    out += [Insn.ld_imm64(reg, wide(pick)) for reg in SCALARS]
    out += [Insn(Class.STX | Mode.MEM | Size.DW, 10, pick.one(SCALARS), -64 + 8 * i) for i in range(8)]
    return out


def ending(extra: int = 8) -> list[Insn]:
    """Fold registers and stack into r0, high half over low half: TEST_RUN shows 32 bits."""
    out = []
    for reg in SCALARS[1:]:
        out += [Insn(Class.ALU64 | Alu.MUL, 0, imm=31), Insn(Class.ALU64 | Alu.XOR | Src.X, 0, reg)]
    for i in range(extra):
        out += [
            Insn(Class.LDX | Mode.MEM | Size.DW, 1, 10, -64 + 8 * i),
            Insn(Class.ALU64 | Alu.MUL, 0, imm=31),
            Insn(Class.ALU64 | Alu.XOR | Src.X, 0, 1),
        ]
    return [
        *out,
        Insn(Class.ALU64 | Alu.MOV | Src.X, 1, 0),
        Insn(Class.ALU64 | Alu.RSH, 1, imm=32),
        Insn(Class.ALU64 | Alu.XOR | Src.X, 0, 1),
        Insn(Class.JMP | Jmp.EXIT),
    ]


def program(pick: Pick, size: int = 12) -> ProgramSpec:
    """Arithmetic, jumps, loops, stack, atomics."""
    return ProgramSpec([*beginning(pick), *statements(pick, size), *ending()], ProgType.SOCKET_FILTER, name="generated")


def with_calls(pick: Pick) -> ProgramSpec:
    """A program that calls two local functions."""
    main = [*beginning(pick), *statements(pick, 3)]
    subs = []
    for _ in range(2):
        body = [
            *[Insn(Class.ALU64 | Alu.MOV | Src.X, reg, 1 + i % 5) for i, reg in enumerate((0, 7, 8, 9))],
            Insn.ld_imm64(6, wide(pick)),
            *[Insn(Class.STX | Mode.MEM | Size.DW, 10, pick.one((1, 2, 3, 4, 5)), -64 + 8 * i) for i in range(8)],
            *statements(pick, 4),
            Insn(Class.JMP | Jmp.EXIT),
        ]
        subs.append(body)
    order = [pick.number(0, 1) for _ in range(pick.number(1, 3))]
    rest: list[Insn] = []
    for which in order:
        rest += [Insn(Class.JMP | Jmp.CALL, src=1, symbol=f"sub{which}")]
        rest += [Insn.ld_imm64(reg, wide(pick)) for reg in (1, 2, 3, 4, 5)]
        rest += statements(pick, 2)
    subs = [[sub[0].replace(label=f"sub{i}"), *sub[1:]] for i, sub in enumerate(subs) if i in order]
    return ProgramSpec([*main, *rest, *ending(), *[i for s in subs for i in s]], ProgType.SOCKET_FILTER, name="calls")


def map_spec(kind: MapType, entries: int) -> MapSpec:
    flags = 1 if kind == MapType.LPM_TRIE else 0
    key = 0 if kind in (MapType.QUEUE, MapType.STACK) else 8 if kind == MapType.LPM_TRIE else 4
    return MapSpec(kind, key, 8, entries, flags, name="m")


def with_map(pick: Pick, kind: MapType) -> ProgramSpec:
    """A series of map operations, their results and the values found folded into r9."""
    spec = map_spec(kind, pick.one((1, 2, 3, 5)))
    code = [Insn(Class.ALU64 | Alu.MOV, 9, imm=0)]
    for _ in range(pick.number(1, 12)):
        code += operation(pick, kind, spec)
    code += [
        Insn(Class.ALU64 | Alu.MOV | Src.X, 0, 9),
        Insn(Class.ALU64 | Alu.RSH, 9, imm=32),
        Insn(Class.ALU64 | Alu.XOR | Src.X, 0, 9),
        Insn(Class.JMP | Jmp.EXIT),
    ]
    return ProgramSpec(code, ProgType.SOCKET_FILTER, name="maps", maps={"m": spec})


def with_lru(pick: Pick, kind: MapType, entries: int) -> ProgramSpec:
    """Look-ups, updates and deletions over somewhat more keys than there is room for."""
    spec = MapSpec(kind, 4, 8, entries, name="m")
    code = [Insn(Class.ALU64 | Alu.MOV, 9, imm=0)]
    for _ in range(pick.one((5, 20, 60))):
        code += operation(pick, MapType.HASH, spec, 2 * entries + 1)
    code += [
        Insn(Class.ALU64 | Alu.MOV | Src.X, 0, 9),
        Insn(Class.ALU64 | Alu.RSH, 9, imm=32),
        Insn(Class.ALU64 | Alu.XOR | Src.X, 0, 9),
        Insn(Class.JMP | Jmp.EXIT),
    ]
    return ProgramSpec(code, ProgType.SOCKET_FILTER, name="lru", maps={"m": spec})


def operation(pick: Pick, kind: MapType, spec: MapSpec, largest: int = 6) -> list[Insn]:
    fold = [Insn(Class.ALU64 | Alu.MUL, 9, imm=31), Insn(Class.ALU64 | Alu.XOR | Src.X, 9, 0)]

    def call(helper: int, *set_up: Insn) -> list[Insn]:
        return [Insn(0x18, 1, 1, 0, 0, 0, symbol="m"), *set_up, Insn(Class.JMP | Jmp.CALL, imm=helper)]

    def pointer(reg: int, at: int) -> list[Insn]:
        return [Insn(Class.ALU64 | Alu.MOV | Src.X, reg, 10), Insn(Class.ALU64 | Alu.ADD, reg, imm=at)]

    value = [Insn.ld_imm64(0, wide(pick)), Insn(Class.STX | Mode.MEM | Size.DW, 10, 0, -16)]
    flags = Insn(Class.ALU64 | Alu.MOV, 4, imm=pick.one((0, 0, 0, 1, 2, 3)))
    if kind in (MapType.QUEUE, MapType.STACK):
        verb = pick.number(0, 3)
        if verb < 2:
            three = Insn(Class.ALU64 | Alu.MOV, 3, imm=pick.one((0, 0, 2, 1)))
            return [*value, *call(87, *pointer(2, -16), three), *fold]
        zero = [Insn(Class.ST | Mode.MEM | Size.DW, 10, 0, -16, 0)]
        read = [Insn(Class.LDX | Mode.MEM | Size.DW, 0, 10, -16), *fold]
        return [*zero, *call(88 if verb == 2 else 89, *pointer(2, -16)), *fold, *read]
    if kind == MapType.LPM_TRIE:
        length = pick.one((0, 1, 8, 9, 24, 31, 32, 33))
        key = [
            Insn(Class.ST | Mode.MEM | Size.W, 10, 0, -8, length),
            Insn(Class.ST | Mode.MEM | Size.W, 10, 0, -4, pick.one((0, 0x0100000A, 0x0101000A, 0x7F, -1))),
        ]
    else:
        key = [Insn(Class.ST | Mode.MEM | Size.W, 10, 0, -8, pick.number(0, largest))]
    verb = pick.number(0, 3)
    if verb == 0:
        return [*key, *call(3, *pointer(2, -8)), *fold]
    if verb == 1:
        found = [
            Insn(Class.JMP | Jmp.JEQ, 0, off=4 + 2, imm=0),
            Insn(Class.ALU64 | Alu.MOV, 1, imm=3),
            Insn(Class.STX | Mode.ATOMIC | Size.DW, 0, 1, 0, int(Atomic.ADD)),
            Insn(Class.LDX | Mode.MEM | Size.DW, 0, 0, 0),
            *fold,
            Insn(Class.ALU64 | Alu.ADD, 9, imm=1),
        ]
        return [*key, *call(1, *pointer(2, -8)), *found]
    return [*key, *value, *call(2, *pointer(2, -8), *pointer(3, -16), flags), *fold]


def with_packet(pick: Pick, prog_type: ProgType) -> ProgramSpec:
    """Reads and writes at fixed places of a packet, behind one bounds check; only types that may."""
    load = Class.LDX | Mode.MEM | Size.W
    data, end = (0, 4) if prog_type == ProgType.XDP else (76, 80)
    body: list[Insn] = []
    for _ in range(pick.number(1, 8)):
        size = pick.one((1, 2, 4, 8))
        at = pick.number(0, 34 - size)
        body += [
            pick.one(
                (
                    Insn(Class.LDX | Mode.MEM | SIZES[size], 2, 7, at),
                    Insn(Class.STX | Mode.MEM | SIZES[size], 7, pick.one((2, 3, 4)), at),
                    Insn(Class.ST | Mode.MEM | SIZES[size], 7, 0, at, imm(pick)),
                )
            ),
            Insn(Class.ALU64 | Alu.XOR | Src.X, 9, 2),
            Insn(Class.ALU64 | Alu.MUL, 9, imm=7),
        ]
    code = [
        Insn(load, 7, 1, data),
        Insn(load, 8, 1, end),
        Insn.ld_imm64(2, wide(pick)),
        Insn.ld_imm64(3, wide(pick)),
        Insn(Class.ALU64 | Alu.MOV | Src.X, 4, 8),
        Insn(Class.ALU64 | Alu.SUB | Src.X, 4, 7),
        Insn(Class.ALU64 | Alu.MOV | Src.X, 9, 4),
        Insn(Class.ALU64 | Alu.MOV | Src.X, 5, 7),
        Insn(Class.ALU64 | Alu.ADD, 5, imm=34),
        Insn(Class.JMP | Jmp.JGT | Src.X, 5, 8, off=sum(i.slots for i in body)),
        *body,
        Insn(Class.ALU | Alu.MOV | Src.X, 0, 9),
        Insn(Class.JMP | Jmp.EXIT),
    ]
    return ProgramSpec(code, prog_type, name="packet")


def _mov(reg: int, value: int) -> Insn:
    return Insn(Class.ALU64 | Alu.MOV, reg, imm=value)


def _call(helper: int) -> list[Insn]:
    """A helper call on the context in r6, its result folded into r9."""
    return [
        Insn(Class.ALU64 | Alu.MOV | Src.X, 1, 6),
        Insn(Class.JMP | Jmp.CALL, imm=helper),
        Insn(Class.ALU64 | Alu.MUL, 9, imm=31),
        Insn(Class.ALU64 | Alu.XOR | Src.X, 9, 0),
    ]


def _buffer(pick: Pick, reg: int, size: int) -> list[Insn]:
    """`size` (a multiple of 8) bytes on the stack, and their address in a register."""
    out = []
    for at in range(-size, 0, 8):
        out += [Insn.ld_imm64(0, wide(pick)), Insn(Class.STX | Mode.MEM | Size.DW, 10, 0, at)]
    return [*out, Insn(Class.ALU64 | Alu.MOV | Src.X, reg, 10), Insn(Class.ALU64 | Alu.ADD, reg, imm=-size)]


def skb_helper(pick: Pick) -> list[Insn]:
    """One call of a helper that reads or edits a socket buffer, with plausible arguments."""
    verb = pick.number(0, 14)
    offset = pick.one((0, 6, 12, 14, 16, 23, 24, 26, 30, 34, 40, 60, 73, 200))
    if verb == 0:
        size = pick.one((8, 16))
        return [*_buffer(pick, 3, size), _mov(2, offset), _mov(4, size), _mov(5, pick.one((0, 0, 1, 2, 8))), *_call(9)]
    if verb == 1:
        size = pick.one((8, 16))
        fold = [
            Insn(Class.LDX | Mode.MEM | Size.DW, 0, 10, -size),
            Insn(Class.ALU64 | Alu.XOR | Src.X, 9, 0),
        ]
        return [*_buffer(pick, 3, size), _mov(2, offset), _mov(4, size), *_call(26), *fold]
    if verb == 2:
        flags = pick.one((0, 2, 4, 2, 4, 3))
        return [_mov(2, 24), _mov(3, 0 if not flags else imm(pick)), _mov(4, imm(pick)), _mov(5, flags), *_call(10)]
    if verb == 3:
        flags = pick.one((0, 2, 4)) | pick.one((0, 0x10, 0x20, 0x40, 0x80))
        fields = [_mov(3, 0 if not flags & 15 else imm(pick)), _mov(4, imm(pick))]
        return [_mov(2, pick.one((40, 36, 50))), *fields, _mov(5, flags), *_call(11)]
    if verb == 4:
        size, other = pick.one((0, 4, 8, 16)), pick.one((0, 4, 8))
        return [
            *_buffer(pick, 3, 16),
            Insn(Class.ALU64 | Alu.MOV | Src.X, 1, 3),
            _mov(2, size),
            _mov(4, other),
            _mov(5, imm(pick)),
            Insn(Class.JMP | Jmp.CALL, imm=28),
            Insn(Class.ALU64 | Alu.MUL, 9, imm=31),
            Insn(Class.ALU64 | Alu.XOR | Src.X, 9, 0),
        ]
    if verb == 5:
        return [_mov(2, pick.one((10, 13, 54, 74, 100, 1000, 70000))), _mov(3, 0), *_call(38)]
    if verb == 6:
        return [_mov(2, pick.one((0, 1, 8, 14, 64))), _mov(3, 0), *_call(43)]
    if verb == 7:
        mode = pick.one((0, 1))
        return [_mov(2, pick.one((-20, -8, -4, 4, 8, 20, 40))), _mov(3, mode), _mov(4, 0), *_call(50)]
    if verb == 8:
        return [_mov(2, pick.one((0x0081, 0xA888, 0))), _mov(3, pick.one((5, 0x2005, 100))), *_call(18)]
    if verb == 9:
        return _call(19)
    if verb == 10:
        return [_mov(2, pick.one((0x0008, 0xDD86, 0x0608))), _mov(3, 0), *_call(31)]
    if verb == 11:
        return [_mov(2, pick.number(0, 4)), *_call(32)]
    if verb == 12:
        return [_mov(2, pick.one((0, 14, 34, 74, 500))), *_call(39)]
    field = pick.one((0, 4, 16, 20, 24, 28))  # len, pkt_type, protocol, vlan_present, vlan_tci, vlan_proto
    return [
        Insn(Class.LDX | Mode.MEM | Size.W, 0, 6, field),
        Insn(Class.ALU64 | Alu.MUL, 9, imm=31),
        Insn(Class.ALU64 | Alu.XOR | Src.X, 9, 0),
    ]


def xdp_helper(pick: Pick) -> list[Insn]:
    verb = pick.number(0, 5)
    if verb <= 2:
        helper = (44, 54, 65)[verb]  # adjust head, meta, tail
        return [
            _mov(2, pick.one((-300, -220, -216, -64, -32, -8, -4, -2, 0, 2, 4, 8, 14, 40, 60, 61, 100, 3000))),
            *_call(helper),
        ]
    size = pick.one((8, 16))
    if verb == 3:
        fold = [Insn(Class.LDX | Mode.MEM | Size.DW, 0, 10, -size), Insn(Class.ALU64 | Alu.XOR | Src.X, 9, 0)]
        return [*_buffer(pick, 3, size), _mov(2, pick.number(0, 80)), _mov(4, size), *_call(189), *fold]
    if verb == 4:
        return [*_buffer(pick, 3, size), _mov(2, pick.number(0, 80)), _mov(4, size), *_call(190)]
    return _call(188)


def with_helpers(pick: Pick, prog_type: ProgType) -> ProgramSpec:
    """A series of packet helpers; results and some bytes folded into the return value."""
    one = xdp_helper if prog_type == ProgType.XDP else skb_helper
    code = [Insn(Class.ALU64 | Alu.MOV | Src.X, 6, 1), _mov(9, 0)]
    for _ in range(pick.number(1, 6)):
        code += one(pick)
    code += [
        Insn(Class.ALU64 | Alu.MOV | Src.X, 0, 9),
        Insn(Class.ALU64 | Alu.RSH, 9, imm=32),
        Insn(Class.ALU64 | Alu.XOR | Src.X, 0, 9),
        Insn(Class.JMP | Jmp.EXIT),
    ]
    return ProgramSpec(code, prog_type, name="helpers")
