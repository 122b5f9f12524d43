"""Programs to compare verdicts on: plausible ones from a grammar, and small changes of them.

A program is made of fragments that know what the registers hold, for any program type and with any helper that the type may
call; arguments are mostly right.  Everything comes from one `random.Random`, so a seed names a program.
"""

from __future__ import annotations

import random
import sys

from pybpf.asm.insn import Insn
from pybpf.kernel import Rules, helper
from pybpf.spec import MapSpec, ProgramSpec
from pybpf.uapi.map import MapType

if "verifier_shapes" in sys.modules:  # the name that the test session gives to the module beside this one
    shapes = sys.modules["verifier_shapes"]
else:
    import shapes

SIZES = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
ALU = (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xA0, 0xB0, 0xC0)
JUMPS = (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0)
CONSTANTS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    255,
    256,
    4095,
    65535,
    -1,
    -2,
    -8,
    -64,
    1 << 20,
    1 << 29,
    2147483647,
    -2147483648,
)

MAPS = {
    "hash": MapSpec(MapType.HASH, 4, 16, 8, name="hash"),
    "array": MapSpec(MapType.ARRAY, 4, 48, 4, name="array"),
    "single": MapSpec(MapType.ARRAY, 4, 64, 1, name="single"),
    "percpu": MapSpec(MapType.PERCPU_ARRAY, 4, 8, 2, name="percpu"),
    "lru": MapSpec(MapType.LRU_HASH, 8, 8, 8, name="lru"),
    "ringbuf": MapSpec(MapType.RINGBUF, 0, 0, 4096, name="ringbuf"),
    "events": MapSpec(MapType.PERF_EVENT_ARRAY, 4, 4, 2, name="events"),
    "progs": MapSpec(MapType.PROG_ARRAY, 4, 4, 2, name="progs"),
    "stacks": MapSpec(MapType.STACK_TRACE, 4, 80, 4, name="stacks"),
    "queue": MapSpec(MapType.QUEUE, 0, 8, 4, name="queue"),
    "bloom": MapSpec(MapType.BLOOM_FILTER, 0, 8, 4, name="bloom"),
    "devmap": MapSpec(MapType.DEVMAP, 4, 4, 2, name="devmap"),
    "sockmap": MapSpec(MapType.SOCKMAP, 4, 4, 2, name="sockmap"),
    "readonly": MapSpec(MapType.ARRAY, 4, 16, 1, flags=128, name="readonly"),
    "outer": MapSpec(MapType.ARRAY_OF_MAPS, 4, 4, 2, name="outer", inner=MapSpec(MapType.ARRAY, 4, 8, 2, name="inner")),
    "trie": MapSpec(MapType.LPM_TRIE, 8, 8, 4, flags=1, name="trie"),
}
_VALUES = ("hash", "array", "single", "percpu", "lru", "readonly")


class Writer:
    """Writes one program; `held` tells what registers R6 to R9 are good for."""

    def __init__(self, rng: random.Random, rules: Rules, kind: tuple[int, int | None, bool]) -> None:
        self.rng = rng
        self.careful = rng.random() < 0.5
        """Whether the author makes no mistakes on purpose."""
        self.version = tuple(int(part) for part in rules.version.split(".")[:2])
        self.functions: list[tuple[list[Insn], bool]] = []
        self.program = rules.program(kind[0], kind[1], sleepable=kind[2])
        self.kind = kind
        self.insns: list[Insn] = []
        self.numbers = {7, 8}
        self.maps: dict[str, MapSpec] = {}

    # -- instructions

    def emit(self, opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        self.insns.append(Insn(opcode, dst, src, off, imm))

    def mov(self, dst: int, src: int) -> None:
        self.emit(0xBF, dst, src)

    def const(self, dst: int, value: int) -> None:
        self.emit(0xB7, dst, 0, 0, value)

    def add(self, dst: int, value: int) -> None:
        self.emit(0x07, dst, 0, 0, value)

    def load(self, dst: int, base: int, off: int, size: int) -> None:
        self.emit(0x61 | SIZES[size], dst, base, off)

    def store(self, base: int, off: int, src: int, size: int) -> None:
        self.emit(0x63 | SIZES[size], base, src, off)

    def map(self, dst: int, name: str, offset: int | None = None) -> None:
        self.maps[name] = MAPS[name]
        src, high = (1, 0) if offset is None else (2, offset)
        self.insns.append(Insn(0x18, dst, src, 0, 0, high, symbol=name))

    def skip(self, opcode: int, dst: int, src: int, imm: int, body: list[Insn]) -> None:
        """A conditional jump over `body`."""
        self.emit(opcode, dst, src, sum(insn.slots for insn in body), imm)
        self.insns += body

    def apart(self, write) -> list[Insn]:
        """What `write` emits, without emitting it."""
        kept, self.insns = self.insns, []
        write()
        made, self.insns = self.insns, kept
        return made

    def call_function(self, body: list[Insn], shared: bool) -> None:
        """Call a function of the program, which is written behind it; a shared one is global."""
        self.insns.append(Insn(0x85, 0, 1, 0, 0, symbol=f"function{len(self.functions)}"))
        self.functions.append((body, shared))

    def function_pointer(self, dst: int, body: list[Insn]) -> None:
        self.insns.append(Insn(0x18, dst, 4, 0, 0, 0, symbol=f"function{len(self.functions)}"))
        self.functions.append((body, False))

    # -- fragments

    def number(self) -> int:
        """A register with a number in it."""
        return self.rng.choice(sorted(self.numbers))

    def arithmetic(self) -> None:
        rng = self.rng
        dst = self.number()
        op = rng.choice(ALU) | rng.choice((4, 7, 7))
        if op & 0xF0 in (0x60, 0x70, 0xC0):
            self.emit(op, dst, 0, 0, rng.randrange(32 if op & 7 == 4 else 64))
        elif rng.random() < 0.5:
            self.emit(op | 8, dst, self.number())
        else:
            self.emit(op, dst, 0, 0, rng.choice([c for c in CONSTANTS if c or op & 0xF0 not in (0x30, 0x90)]))

    def sign_extension(self) -> None:
        self.emit(self.rng.choice((0xBF, 0xBC)), self.number(), self.number(), self.rng.choice((8, 16)))

    def negation(self) -> None:
        self.emit(self.rng.choice((0x87, 0x84)), self.number())

    def swap(self) -> None:
        self.emit(self.rng.choice((0xD4, 0xDC, 0xD7)), self.number(), 0, 0, self.rng.choice((16, 32, 64)))

    def branch(self) -> None:
        rng = self.rng
        body = self.apart(lambda: [self.fragment(simple=True) for _ in range(rng.randrange(1, 3))])
        op = rng.choice(JUMPS) | rng.choice((5, 5, 6))
        if rng.random() < 0.4:
            self.skip(op | 8, self.number(), self.number(), 0, body)
        else:
            self.skip(op, self.number(), 0, rng.choice(CONSTANTS), body)

    def loop(self) -> None:
        rng = self.rng
        self.const(9, 0)
        body = self.apart(lambda: [self.fragment(simple=True) for _ in range(rng.randrange(1, 3))])
        body.append(Insn(0x07, 9, 0, 0, 1))
        length = sum(insn.slots for insn in body)
        self.insns += body
        self.emit(0xA5, 9, 0, -length - 1, rng.randrange(1, 12))

    def stack(self) -> None:
        rng = self.rng
        size = rng.choice((1, 2, 4, 8))
        off = -rng.randrange(1, 9) * 8 + rng.randrange(0, 8 // size) * size
        choice = rng.randrange(4)
        if choice == 0:
            self.emit(0x62 | SIZES[size], 10, 0, off, rng.choice(CONSTANTS))
        elif choice == 1:
            self.store(10, off, self.number(), size)
        elif choice == 2:
            self.store(10, off, rng.choice((6, 10, self.number())), 8 if off % 8 == 0 else size)
        else:
            self.load(self.number(), 10, off, size)

    def variable_stack(self) -> None:
        reg = self.number()
        self.emit(0x57, reg, 0, 0, self.rng.choice((1, 7, 8, 15, 31)))
        self.mov(2, 10)
        self.add(2, -self.rng.choice((8, 16, 32, 40)))
        self.emit(0x0F, 2, reg)
        size = self.rng.choice((1, 1, 2, 8))
        if self.rng.random() < 0.5:
            self.store(2, 0, self.number(), size)
        else:
            self.load(self.number(), 2, 0, size)

    def context(self) -> None:
        rng = self.rng
        fields = list(self.program.context.fields.values())
        if fields and self.careful:
            field = rng.choice(fields)
            size, off = field.size, field.offset
        elif fields and rng.random() < 0.9:
            field = rng.choice(fields)
            size = rng.choice((field.size, field.size, 1, 2, 4, 8))
            off = field.offset + rng.choice((0, 0, 0, size, field.size // 2))
        else:
            size, off = rng.choice((1, 2, 4, 8)), rng.randrange(0, 200)
        if rng.random() < 0.75:
            self.load(1, 6, off, size)
            if not self.careful and rng.random() < 0.5:
                self.load(0, 1, rng.randrange(0, 80), rng.choice((1, 2, 4, 8)))
        else:
            self.store(6, off, self.number(), size)

    def packet(self) -> None:
        fields = self.program.context.fields
        rng = self.rng
        start, end = fields.get("data"), fields.get("data_end")
        if start is None or end is None:
            return self.context()
        if rng.random() < 0.1 and "data_meta" in fields:
            start, end = fields["data_meta"], start
        self.load(2, 6, start.offset, start.size)
        self.load(3, 6, end.offset, end.size)
        self.mov(4, 2)
        if rng.random() < 0.3:
            reg = self.number()
            self.emit(0x57, reg, 0, 0, rng.choice((7, 63, 255, 65535)))
            self.emit(0x0F, 4, reg)
            if rng.random() < 0.7:
                self.mov(2, 4)
        reach = rng.choice((1, 2, 8, 14, 34, 64))
        self.add(4, reach)
        size = rng.choice((1, 2, 4, 8))
        off = rng.choice((0, reach - size, reach - size, reach, reach - 1, -1))

        def access() -> None:
            if rng.random() < 0.75:
                self.load(self.number(), 2, off, size)
            else:
                self.store(2, off, self.number(), size)

        op = rng.choice((0x2D, 0x2D, 0x3D, 0xAD, 0xBD, 0x1D))
        if rng.random() < 0.5:
            self.skip(op, 4, 3, 0, self.apart(access))
        else:
            self.skip(op, 3, 4, 0, self.apart(access))
        return None

    def lookup(self) -> None:
        rng = self.rng
        name = rng.choice((*_VALUES, *_VALUES, *MAPS))
        target = MAPS[name]
        if rng.random() < 0.8:
            self.emit(0x7A, 10, 0, -8, rng.choice((0, 0, 1, 100)))
        self.mov(2, 10)
        self.add(2, -8 if target.key_size == 8 or rng.random() < 0.3 else -4)
        self.map(1, name)
        self.emit(0x85, imm=1)

        def use() -> None:
            self.mov(1, 0)
            if rng.random() < 0.5:
                reg = self.number()
                if rng.random() < 0.8:
                    self.emit(rng.choice((0x57, 0x54)), reg, 0, 0, rng.choice((3, 7, 15, 31)))
                self.emit(0x0F, 1, reg)
            self.value_access(1, target)

        if rng.random() < 0.9:
            self.skip(rng.choice((0x15, 0x15, 0x15, 0x55)), 0, 0, 0, self.apart(use))
        else:
            use()

    def value_access(self, reg: int, target: MapSpec) -> None:
        rng = self.rng
        size = rng.choice((1, 2, 4, 8))
        off = rng.choice((0, 0, 8, target.value_size - size, target.value_size - size + 1, -size))
        choice = rng.randrange(5)
        if choice == 0:
            self.store(reg, off, self.number(), size)
        elif choice == 1:
            self.emit(
                0xC3 | SIZES[rng.choice((4, 8))],
                reg,
                self.number(),
                off & ~7,
                rng.choice((0, 1, 0x40, 0x50, 0xA1, 0xE1, 0xF1)),
            )
        else:
            self.load(self.number(), reg, off, size)

    def direct_value(self) -> None:
        self.map(2, self.rng.choice(("single", "readonly", "array")), self.rng.choice((0, 8, 15, 60, 64)))
        self.value_access(2, MAPS["single"])

    def reserve(self) -> None:
        rng = self.rng
        size = rng.choice((8, 16, 24))
        self.map(1, "ringbuf")
        self.const(2, size)
        self.const(3, 0)
        self.emit(0x85, imm=131)

        def use() -> None:
            self.store(0, rng.choice((0, size - 8, size)), self.number(), 8)
            self.mov(1, 0)
            if rng.random() < 0.1:
                self.add(1, 8)
            self.const(2, 0)
            if rng.random() < 0.9:
                self.emit(0x85, imm=rng.choice((132, 133)))

        self.skip(0x15, 0, 0, 0, self.apart(use))

    def socket(self) -> None:
        rng = self.rng
        self.emit(0x7A, 10, 0, -16, 0)
        self.emit(0x7A, 10, 0, -8, 0)
        self.mov(1, 6)
        self.mov(2, 10)
        self.add(2, -16)
        self.const(3, 12)
        self.const(4, -1)
        self.const(5, 0)
        self.emit(0x85, imm=rng.choice((84, 85, 99)))

        def use() -> None:
            self.mov(9, 0)
            if rng.random() < 0.6:
                self.load(self.number(), 0, rng.randrange(0, 84, 4), rng.choice((1, 2, 4, 4)))
            if rng.random() < 0.4:
                self.mov(1, 9)
                self.emit(0x85, imm=rng.choice((95, 96, 98)))
                if rng.random() < 0.7:
                    self.skip(
                        0x15, 0, 0, 0, self.apart(lambda: self.load(8, 0, rng.randrange(0, 120, 4), rng.choice((4, 8))))
                    )
            self.mov(1, 9)
            if rng.random() < 0.9:
                self.emit(0x85, imm=86)
            if rng.random() < 0.1:
                self.load(8, 9, 4, 4)

        self.skip(0x15, 0, 0, 0, self.apart(use))

    def call(self) -> None:
        """A helper that this program type may call, with arguments that mostly fit."""
        rng = self.rng
        number = rng.choice(sorted(self.program.helpers)) if rng.random() < 0.97 else rng.randrange(0, 215)
        if number in (65, 66, 170, 180, 181, 209, 164, 0):
            return
        try:
            rules = helper(number, self.kind[0])
        except ValueError:
            self.emit(0x85, imm=number)
            return
        target = rng.choice(list(MAPS))
        for i, arg in enumerate(rules.args):
            self.argument(i + 1, arg, target)
        self.emit(0x85, imm=number)
        if rng.random() < 0.3:
            self.skip(0x15, 0, 0, 0, self.apart(lambda: self.load(8, 0, rng.choice((0, 4, 8)), rng.choice((4, 8)))))

    def argument(self, reg: int, arg, target: str) -> None:
        rng = self.rng
        kind = (
            arg.kind
            if self.careful or rng.random() < 0.93
            else rng.choice(("ctx", "map", "mem", "any", "size", "null"))
        )
        if kind == "ctx":
            self.mov(reg, 6)
        elif kind == "map":
            self.map(reg, target)
        elif kind in ("key", "value", "mem", "fixed", "stack", "dynptr", "dynptr_new", "dynptr_ringbuf"):
            if arg.nullable and rng.random() < 0.2:
                self.const(reg, 0)
            elif rng.random() < 0.1:
                self.map(reg, "single", rng.choice((0, 8, 40)))
            else:
                self.mov(reg, 10)
                self.add(reg, -rng.choice((8, 16, 24, 32, 64)))
        elif kind in ("size", "size0", "alloc_size"):
            if rng.random() < 0.25:
                self.mov(reg, self.number())
                if rng.random() < 0.7:
                    self.emit(0x57, reg, 0, 0, rng.choice((7, 8, 15, 63)))
            else:
                self.const(reg, rng.choice((0, 1, 4, 8, 16, 24, 64, 65, -1)))
        elif kind == "null":
            self.const(reg, 0)
        elif rng.random() < 0.1:
            self.mov(reg, 6)
        else:
            self.const(reg, rng.choice((0, 0, 1, 8)))

    def load_bytes(self) -> None:
        if self.rng.random() < 0.5:
            self.emit(0x20 | self.rng.choice((0x00, 0x08, 0x10)), imm=self.rng.choice((0, 14, 23, 1000)))
        else:
            self.emit(0x40 | self.rng.choice((0x00, 0x08, 0x10)), src=self.number(), imm=self.rng.choice((0, 14, -4)))

    def fragment(self, simple: bool = False) -> None:
        if simple:
            self.rng.choice(_SIMPLE)(self)
        else:
            self.rng.choice(_ALL)(self)

    def finish(self) -> ProgramSpec:
        rng = self.rng
        low, high = self.program.returns or (0, 1)
        body = self.insns
        self.insns = []
        self.mov(6, 1)
        if rng.random() < 0.5:
            self.emit(0x85, imm=7)
            self.mov(7, 0)
        else:
            self.const(7, rng.choice(CONSTANTS))
        self.emit(0x85, imm=7)
        self.mov(8, 0)
        for slot in range(1, 1 + (8 if self.careful else rng.randrange(0, 9))):
            self.emit(0x7A, 10, 0, -8 * slot, 0)
        self.insns += body
        if rng.random() < 0.95:
            self.const(0, rng.choice((low, high)))
        self.emit(0x95)
        btf, func_info = self._place_functions()
        return ProgramSpec(
            self.insns,
            self.kind[0],
            btf=btf,
            func_info=func_info,
            name="generated",
            expected_attach_type=self.kind[1],
            flags=0x10 if self.kind[2] else 0,
            maps=self.maps,
            license="GPL" if rng.random() < 0.97 else "MIT",
        )

    def _place_functions(self) -> tuple[bytes | None, list[tuple[int, int]]]:
        """Write the functions behind the program, and let calls and pointers find them."""
        if not self.functions:
            return None, []
        starts, info = [], [(0, shapes.MAIN)]
        for i, (body, shared) in enumerate(self.functions):
            starts.append(sum(insn.slots for insn in self.insns))
            info.append((starts[-1], (shapes.GLOBAL_IDS if shared else shapes.STATIC_IDS)[i % shapes.FUNCTIONS]))
            self.insns += body
        slot = 0
        for at, insn in enumerate(self.insns):
            if insn.symbol is not None and insn.symbol.startswith("function"):
                target = starts[int(insn.symbol.removeprefix("function"))]
                self.insns[at] = insn.replace(imm=target - slot - 1, symbol=None)
            slot += insn.slots
        return shapes.BTF, info


_SIMPLE = (
    Writer.arithmetic,
    Writer.arithmetic,
    Writer.stack,
    Writer.sign_extension,
    Writer.negation,
    Writer.context,
    Writer.swap,
)
_ALL = (
    *(
        Writer.arithmetic,
        Writer.arithmetic,
        Writer.arithmetic,
        Writer.branch,
        Writer.branch,
        Writer.branch,
        Writer.stack,
    ),
    *(Writer.stack, Writer.variable_stack, Writer.context, Writer.packet, Writer.packet, Writer.lookup, Writer.lookup),
    *(Writer.lookup, Writer.direct_value, Writer.reserve, Writer.call, Writer.call, Writer.call, Writer.loop),
    *(Writer.sign_extension, Writer.negation, Writer.socket, Writer.load_bytes),
)


def plausible(rng: random.Random, rules: Rules, kinds: list[tuple[int, int | None, bool]]) -> ProgramSpec:
    """A program from the grammar."""
    writer = Writer(rng, rules, rng.choice(kinds))
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 6))):
        if rng.random() < 0.4:
            rng.choice(shapes.SHAPES)(writer)
        else:
            writer.fragment()
    return writer.finish()


def mutated(rng: random.Random, spec: ProgramSpec) -> ProgramSpec:
    """A small change of a program: a bit of an opcode, a register, an offset, an immediate, an instruction moved or lost."""
    insns = list(spec.insns)
    for _ in range(rng.choice((1, 1, 1, 2))):
        at = rng.randrange(len(insns))
        insn = insns[at]
        choice = rng.randrange(12)
        if choice == 0:
            insn = insn.replace(opcode=insn.opcode ^ 1 << rng.randrange(8))
        elif choice == 1:
            insn = insn.replace(dst=rng.randrange(12))
        elif choice == 2:
            insn = insn.replace(src=rng.randrange(12))
        elif choice == 3:
            insn = insn.replace(dst=rng.randrange(11), src=rng.randrange(11))
        elif choice == 4:
            insn = insn.replace(
                off=max(-32768, min(32767, insn.off + rng.choice((-16, -8, -4, -2, -1, 1, 2, 4, 8, 16, 64))))
            )
        elif choice == 5:
            insn = insn.replace(imm=rng.choice(CONSTANTS))
        elif choice == 6:
            insn = insn.replace(imm=max(-(1 << 31), min((1 << 31) - 1, insn.imm + rng.choice((-8, -1, 1, 8)))))
        elif choice == 7:
            other = rng.randrange(len(insns))
            insns[at], insns[other] = insns[other], insns[at]
            continue
        elif choice == 8:  # another size, or another operation
            insn = insn.replace(opcode=insn.opcode ^ rng.choice((0x08, 0x10, 0x18, 0x20, 0x50, 0xF0)))
        elif choice == 9:
            insn = insn.replace(dst=insn.src, src=insn.dst)
        elif choice == 10:  # twice, in the place of the next
            if not insn.wide and at + 1 < len(insns) and not insns[at + 1].wide:
                insns[at + 1] = insn
            continue
        elif spec.func_info or rng.random() < 0.5:  # gone, without moving the rest
            insns[at : at + 1] = [Insn(0x05)] * insn.slots
            continue
        elif len(insns) > 1:
            del insns[at]
            continue
        if insn.wide and insn.opcode != 0x18:
            insn = insn.replace(next_imm=None, symbol=None)
        if insn.symbol is not None and not insn.wide and (insn.opcode, insn.src) != (0x85, 2):
            insn = insn.replace(symbol=None)  # no call of a kernel function any more
        insns[at] = insn
    return spec.replace(insns=tuple(insns))


def loadable(rules: Rules) -> list[tuple[int, int | None, bool]]:
    """The program kinds that can be loaded without something to attach to."""
    return [kind for kind in rules.programs() if kind[0] not in (26, 27, 28, 29)]
