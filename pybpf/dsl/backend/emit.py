"""From machine blocks with registers to `Insn`s with labels, in the order of the blocks."""

from __future__ import annotations

from ...asm.insn import Insn
from ...errors import CompileError
from ..ssa.ir import Graph, Slot
from .allocate import allocate
from .chain import MAX_STACK
from .heads import clear
from .machine import COPY, EXIT, JA, JCOND, LD_IMM64, TESTS, MBlock, Mi
from .select import _OPPOSITE, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...source import Source

_INVERSE = {TESTS[test]: TESTS[other] for test, other in _OPPOSITE.items()}


def assemble(
    graph: Graph, isa: int, kernel: tuple[int, int], source: Callable[[Any], Source | None], prefix: str
) -> tuple[list[Insn], dict[int, Any]]:
    """The instructions of one function, and by index the `core.Field` that one holds; its labels begin with `prefix`."""
    blocks, registers, depth, slots, bounds = select(graph, isa, kernel)
    legacy = any(mi.opcode & 0xE7 in (0x20, 0x40) for b in blocks for mi in b.code)
    order = place(blocks)
    assigned, total = allocate(order, registers, depth, legacy, bounds)
    if total > MAX_STACK:
        raise too_deep(graph, slots, total, total - depth, source)
    graph.depth = total
    clear(order, assigned, depth)
    return emit(order, assigned, source, prefix)


def too_deep(
    graph: Graph, slots: list[Slot], total: int, spilled: int, source: Callable[[Any], Source | None]
) -> CompileError:
    """What takes the most of the stack, and what to do about it."""
    lines = {v.aux: source(v.at) for block in graph.blocks for v in block.values if v.op == "stack"}
    users = [(s.size, f"{s.name} {s.size} bytes" + (f" (line {lines[s].line})" if lines.get(s) else "")) for s in slots]  # type: ignore[union-attr]
    if spilled:
        users.append((spilled, f"numbers that found no register {spilled} bytes"))
    users.sort(key=lambda user: -user[0])
    advice = "keep large values in a PerCpuArray map" if slots else "use fewer names at the same time"
    return CompileError(
        f"{graph.name} needs {total} bytes of stack, and there are {MAX_STACK}; the largest users are "
        f"{', '.join(told for _, told in users[:5])}: {advice}",
        source(None),
    )


def place(blocks: list[MBlock]) -> list[MBlock]:
    """The final order: blocks made for edges stand behind the block that they leave.  Numbers become positions."""
    order: list[MBlock] = []
    for block in blocks:
        if not block.edge:
            order.append(block)
            order += [blocks[t] for t in dict.fromkeys(block.targets[::-1]) if blocks[t].edge]
    position = {block.number: i for i, block in enumerate(order)}
    for i, block in enumerate(order):
        block.targets = tuple(position[t] for t in block.targets)
        block.number = i
    return order


def compact(blocks: list[MBlock], assigned: list[int]) -> list[MBlock]:
    """Drop copies that came out as nothing, and blocks that are then empty."""
    for block in blocks:
        if any(mi.opcode == COPY for mi in block.code):
            block.code = [mi for mi in block.code if mi.opcode != COPY or assigned[mi.dst] != assigned[mi.src]]
    final: dict[int, int] = {}
    for block in blocks:
        i = block.number
        seen = {i}
        while (
            not blocks[i].code
            and blocks[i].test is None
            and len(blocks[i].targets) == 1
            and blocks[i].targets[0] not in seen
        ):
            i = blocks[i].targets[0]
            seen.add(i)
        final[block.number] = i
    kept = [b for b in blocks if final[b.number] == b.number or b.number == 0]
    position = {b.number: i for i, b in enumerate(kept)}
    for block in kept:
        block.targets = tuple(position[final[t]] for t in block.targets)
        if block.test is not None and block.targets[0] == block.targets[1] and block.test.opcode != JCOND:
            block.test, block.targets = None, block.targets[:1]
    return one_exit(returning(kept))


def returning(blocks: list[MBlock]) -> list[MBlock]:
    """Jumps to an exit become exits; an exit that nobody comes to any more would be unreachable, which the verifier refuses."""
    reached = {0}
    for i, block in enumerate(blocks):
        if block.test is None and block.targets and block.targets[0] != i + 1:
            following = blocks[block.targets[0]].code
            if following and following[0].opcode == EXIT:
                block.code = [*block.code, Mi(EXIT, at=block.code[-1].at if block.code else following[0].at)]
                block.targets = ()
        reached.update(block.targets)
    kept = [block for i, block in enumerate(blocks) if i in reached]
    position = {i: at for at, i in enumerate(sorted(reached))}
    for i, block in enumerate(kept):
        block.targets = tuple(position[t] for t in block.targets)
        block.number = i
    return kept


def one_exit(blocks: list[MBlock]) -> list[MBlock]:
    """What returns falls into an exit that stands alone, when that is next, or can be put next: behind the other way of the
    test that leads to it.
    """
    lone = [i for i, block in enumerate(blocks) if i and _exits(block) and len(block.code) == 1]
    if not lone:
        return blocks
    order = list(range(len(blocks)))
    for i in lone:
        test, around = blocks[i - 1].test, blocks[i - 1].targets
        if test is None or around not in ((i, i + 1), (i + 1, i)) or not _exits(blocks[i + 1]) or i + 1 in lone:
            continue
        if around[0] == i or test.opcode & 0xF0 in _INVERSE:
            order[i], order[i + 1] = i + 1, i
    position = {number: at for at, number in enumerate(order)}
    made = [blocks[number] for number in order]
    for at, block in enumerate(made):
        block.number = at
        block.targets = tuple(position[t] for t in block.targets)
    for at, block in enumerate(made[:-1]):
        following = made[at + 1]
        if _exits(block) and _exits(following) and len(following.code) == 1:
            block.code, block.targets = block.code[:-1], (following.number,)
    return made


def _exits(block: MBlock) -> bool:
    return bool(block.code) and block.code[-1].opcode == EXIT


def emit(
    blocks: list[MBlock], assigned: list[int], source: Callable[[Any], Source | None], prefix: str
) -> tuple[list[Insn], dict[int, Any]]:
    out: list[Insn] = []
    core: dict[int, Any] = {}
    labels: set[int] = set()
    starts: dict[int, int] = {}
    new = tuple.__new__
    last_at: Any = out  # nothing yet
    last_source: Source | None = None

    def add(opcode: int, dst: int, src: int, off: int, imm: int, next_imm: int | None, symbol: Any, at: Any) -> None:
        nonlocal last_at, last_source
        insn = new(Insn, (opcode, dst, src, off, imm, next_imm))
        if at is not last_at:
            last_at, last_source = at, source(at)
        meta = insn.__dict__
        if last_source is not None:
            meta["source"] = last_source
        if symbol is not None:
            meta["symbol"] = symbol
        out.append(insn)

    def jump(opcode: int, dst: int, src: int, imm: int, target: int, at: Any) -> None:
        labels.add(target)
        add(opcode, dst, src, 0, imm, None, f"{prefix}{target}", at)

    blocks = compact(blocks, assigned)
    for i, block in enumerate(blocks):
        starts[i] = len(out)
        for mi in block.code:
            dst, src = assigned[mi.dst], assigned[mi.src]
            if mi.opcode == COPY:
                if dst != src:
                    add(0xBC if mi.imm else 0xBF, dst, src, 0, 0, None, None, mi.at)
                continue
            if mi.opcode == 0xBC and dst == src and _zero_extended(out, starts[i], dst):
                continue
            symbol = mi.symbol
            if symbol is not None and not isinstance(symbol, str):
                symbol = symbol.name
            add(mi.opcode, dst, src, mi.off, mi.imm, mi.next_imm if mi.opcode == LD_IMM64 else None, symbol, mi.at)
            if mi.core is not None:
                core[len(out) - 1] = mi.core
        test = block.test
        if test is not None:
            dst, src = assigned[test.dst], assigned[test.src]
            then, other = block.targets
            opcode = test.opcode
            if then == i + 1 and other != i + 1 and opcode & 0xF0 in _INVERSE:
                opcode = opcode & 0x0F | _INVERSE[opcode & 0xF0]
                then, other = other, then
            jump(opcode, dst, src, test.imm, then, test.at)
            if other != i + 1:
                jump(JA, 0, 0, 0, other, test.at)
        elif block.targets and block.targets[0] != i + 1:
            jump(JA, 0, 0, 0, block.targets[0], block.code[-1].at if block.code else last_at)
    return _alias_labels(out, starts, labels, prefix), core


def _zero_extended(out: list[Insn], start: int, register: int) -> bool:
    """Whether the instruction before, in this block, already cleared the upper half of a register."""
    if len(out) <= start:
        return False
    opcode, dst = out[-1][0], out[-1][1]
    return dst == register and (opcode & 7 == 4 or opcode in (0x61, 0x69, 0x71)) and opcode != 0xDC


def _alias_labels(out: list[Insn], starts: dict[int, int], labels: set[int], prefix: str) -> list[Insn]:
    """Blocks that came out empty share the label of what follows them."""
    first: dict[int, str] = {}
    rename: dict[str, str] = {}
    for target in sorted(labels):
        at = starts[target]
        name = f"{prefix}{target}"
        if at in first:
            rename[name] = first[at]
        else:
            first[at] = name
    for at, name in first.items():
        out[at].__dict__["label"] = name
    if rename:
        for insn in out:
            symbol = insn.__dict__.get("symbol")
            if symbol in rename:
                insn.__dict__["symbol"] = rename[symbol]
    return out


__all__ = ["Mi", "assemble"]
