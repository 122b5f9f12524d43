"""Classic to extended BPF with the same meaning, as the kernel itself does for every classic filter it takes.

    A -> r0     X -> r7     ctx -> r6     M[k] -> *(u32 *)(r10 - 4 * (k + 1))

All arithmetic is 32 bits wide and r0 and r7 stay zero-extended, so 64-bit jumps compare the right numbers and
every ISA level can run the result.  Classic filters may hold unreachable code, extended ones must not:
only what can be reached is translated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..asm.insn import Insn as EbpfInsn
from ..asm.opcodes import SIZE_BYTES, Alu, Class, Jmp, Mode, Size, Src
from ..errors import NotSupportedError
from ..spec import ProgramSpec
from ..uapi import Helper, ProgType, XdpAction
from ..uapi.action import RetCode, TcAction
from .insn import AD_OFF, CONDITIONS, EXTENSION_NAMES, LL_OFF, NET_OFF, OPCODES, Insn

A, X, CTX, FP = 0, 7, 6, 10
DATA, DATA_END = 8, 9  # XDP keeps the packet's bounds here
MISS = "miss"  # a load outside the packet ends the filter with 0

_SIZE = {"ld": Size.W, "ldh": Size.H, "ldb": Size.B, "ldxb": Size.B}
_ALU = {op: getattr(Alu, op.upper()) for op in ("add", "sub", "mul", "div", "mod", "or", "and", "xor", "lsh", "rsh")}
_JMP = {op: getattr(Jmp, op.upper()) for op in CONDITIONS}
_NOT = {Jmp.JEQ: Jmp.JNE, Jmp.JGT: Jmp.JLE, Jmp.JGE: Jmp.JLT}

# Extensions that are a field of __sk_buff: (offset, whether it holds a big-endian 16-bit number).
_SKB_FIELDS = {
    "type": (4, False),
    "mark": (8, False),
    "queue": (12, False),
    "proto": (16, True),
    "vlanp": (20, False),
    "vlan_tci": (24, False),
    "vlan_tpid": (28, True),
    "ifidx": (40, False),
    "rxhash": (68, False),
}
_IFINDEX = _SKB_FIELDS["ifidx"][0]
_HELPERS = {"cpu": Helper.get_smp_processor_id, "random": Helper.get_prandom_u32}


# Program types over an skb -> what they return to pass a packet and to drop it.
_VERDICTS: dict[int, tuple[int, int]] = {
    ProgType.SOCKET_FILTER: (0xFFFF, 0),  # bytes to keep
    ProgType.SCHED_CLS: (TcAction.OK, TcAction.SHOT),
    ProgType.SCHED_ACT: (TcAction.OK, TcAction.SHOT),
    ProgType.CGROUP_SKB: (1, 0),
    ProgType.LWT_IN: (RetCode.OK, RetCode.DROP),
    ProgType.LWT_OUT: (RetCode.OK, RetCode.DROP),
    ProgType.LWT_XMIT: (RetCode.OK, RetCode.DROP),
}


class _Target(NamedTuple):
    """What differs between program types: reading the packet, and what to return."""

    prologue: Sequence[EbpfInsn]
    load: Callable[[str, str, int], Iterator[EbpfInsn]]  # mnemonic, operand kind, k -> A
    length: Sequence[EbpfInsn]  # packet length -> A
    match: int | None  # None: return the classic value itself
    miss: int


def to_ebpf(
    filter: Sequence[Insn],
    *,
    prog_type: int = ProgType.SOCKET_FILTER,
    name: str = "",
    match: int | None = None,
    miss: int | None = None,
) -> ProgramSpec:
    """The filter as a `ProgramSpec`.

    A socket filter returns what the classic one does.  `ProgType.XDP`, `SCHED_CLS`, `SCHED_ACT`, `CGROUP_SKB` and
    `LWT_*` return `match` where the classic result is not 0 and `miss` where it is (by default let pass and drop).
    The packet begins where that type's begins: cgroup and LWT programs have no Ethernet header (`DLT.RAW`).
    NotSupportedError names a program type or an extension that cannot be had.
    """
    target = _target(prog_type, match, miss)
    reachable = _reachable(filter)
    body: list[EbpfInsn] = []
    for i, insn in enumerate(filter):
        if i not in reachable:
            continue
        first = len(body)
        body += _translate(i, insn, target)
        body[first] = body[first].replace(label=f"L{i}")
    code = [*target.prologue, _mov(A, 0), _mov(X, 0), *body]
    if any(insn.symbol == MISS for insn in code):
        code += [_mov(A, target.miss).replace(label=MISS), _EXIT]
    return ProgramSpec(_without_unused_labels(code), prog_type, name=name)


def _target(prog_type: int, match: int | None, miss: int | None) -> _Target:
    skb = ([_mov64(CTX, 1)], [_ldx(Size.W, A, CTX, 0)])
    if prog_type == ProgType.SOCKET_FILTER and match is miss is None:
        return _Target(skb[0], _legacy_load, skb[1], None, 0)
    if prog_type in _VERDICTS:
        passed, dropped = _VERDICTS[prog_type]
        passed, dropped = passed if match is None else match, dropped if miss is None else miss
        return _Target(skb[0], _helper_load, skb[1], passed, dropped)
    if prog_type == ProgType.XDP:
        prologue = [_ldx(Size.W, DATA, 1, 0), _ldx(Size.W, DATA_END, 1, 4)]
        length = [_mov64(A, DATA_END), EbpfInsn(Class.ALU64 | Alu.SUB | Src.X, A, DATA)]
        passed = XdpAction.PASS if match is None else match
        return _Target(prologue, _xdp_load, length, passed, XdpAction.DROP if miss is None else miss)
    raise NotSupportedError(
        f"a classic filter as program type {prog_type}",
        hint=f"it can become one of {', '.join(ProgType(t).name for t in (*_VERDICTS, ProgType.XDP))}",
    )


def _reachable(filter: Sequence[Insn]) -> set[int]:
    seen: set[int] = set()
    todo = [0]
    while todo:
        i = todo.pop()
        if i in seen:
            continue
        seen.add(i)
        op = OPCODES[filter[i].code][0]
        if op == "ja":
            todo.append(i + 1 + filter[i].k)
        elif op in CONDITIONS:
            todo += (i + 1 + filter[i].jt, i + 1 + filter[i].jf)
        elif op != "ret":
            todo.append(i + 1)
    return seen


def _translate(at: int, insn: Insn, target: _Target) -> Iterator[EbpfInsn]:
    """The extended instructions for one classic one; never empty."""
    op, operand = OPCODES[insn.code]
    k = insn.k
    slot = -4 * (k + 1)
    if operand == "abs" and k >= AD_OFF:
        yield from _extension(EXTENSION_NAMES[k], target)
    elif operand == "msh":
        yield EbpfInsn(Class.STX | Mode.MEM | Size.W, FP, A, _SAVED_A)
        yield from target.load(op, "abs", k)
        yield EbpfInsn(Class.ALU | Alu.AND | Src.K, A, imm=0xF)
        yield EbpfInsn(Class.ALU | Alu.LSH | Src.K, A, imm=2)
        yield _mov(X, A, Src.X)
        yield _ldx(Size.W, A, FP, _SAVED_A)
    elif operand in ("abs", "ind"):
        yield from target.load(op, operand, k)
    elif op in ("ld", "ldx"):
        dst = A if op == "ld" else X
        if operand == "mem":
            yield _ldx(Size.W, dst, FP, slot)
        elif operand == "imm":
            yield _mov(dst, _s32(k))
        elif op == "ld":
            yield from target.length
        else:
            yield EbpfInsn(Class.STX | Mode.MEM | Size.W, FP, A, _SAVED_A)
            yield from target.length
            yield _mov(X, A, Src.X)
            yield _ldx(Size.W, A, FP, _SAVED_A)
    elif op in ("st", "stx"):
        yield EbpfInsn(Class.STX | Mode.MEM | Size.W, FP, A if op == "st" else X, slot)
    elif op in _ALU:
        if operand == "x" and op in ("div", "mod"):
            yield EbpfInsn(Class.JMP | Jmp.JEQ | Src.K, X, symbol=MISS)
        if operand == "x":
            yield EbpfInsn(Class.ALU | _ALU[op] | Src.X, A, X)
        else:
            yield EbpfInsn(Class.ALU | _ALU[op] | Src.K, A, imm=_s32(k))
    elif op == "neg":
        yield EbpfInsn(Class.ALU | Alu.NEG, A)
    elif op == "ja":
        yield _goto(at + 1 + k)
    elif op in CONDITIONS:
        yield from _branch(at, insn, _JMP[op], operand)
    elif op == "ret":
        yield from _return(operand, k, target)
    else:
        yield _mov(X, A, Src.X) if op == "tax" else _mov(A, X, Src.X)


_SAVED_A = -4 * 17  # below the sixteen scratch words


def _branch(at: int, insn: Insn, jump: Jmp, operand: str) -> Iterator[EbpfInsn]:
    """A two-way jump; an immediate beyond 31 bits would be sign-extended by a 64-bit compare, so it goes through r1."""
    on_true, on_false = at + 1 + insn.jt, at + 1 + insn.jf
    if on_true == on_false:
        yield _goto(on_true)
        return
    source, src, imm = (Src.X, X, 0) if operand == "x" else (Src.K, 0, insn.k)
    if imm >> 31:
        yield _mov(1, _s32(imm))
        source, src, imm = Src.X, 1, 0
    if insn.jt == 0 and jump in _NOT:
        yield EbpfInsn(Class.JMP | _NOT[jump] | source, A, src, 0, imm, symbol=f"L{on_false}")
        return
    yield EbpfInsn(Class.JMP | jump | source, A, src, 0, imm, symbol=f"L{on_true}")
    if insn.jf:
        yield _goto(on_false)


def _return(operand: str, k: int, target: _Target) -> Iterator[EbpfInsn]:
    if target.match is None:
        if operand == "num":
            yield _mov(A, _s32(k))
        yield _EXIT
    elif operand == "num":
        yield _mov(A, target.match if k else target.miss)
        yield _EXIT
    else:
        yield EbpfInsn(Class.JMP | Jmp.JEQ | Src.K, A, symbol=MISS)
        yield _mov(A, target.match)
        yield _EXIT


def _legacy_load(op: str, operand: str, k: int) -> Iterator[EbpfInsn]:
    """What the kernel makes of a classic load.  Outside of the packet it ends the program with 0."""
    mode, src = (Mode.IND, X) if operand == "ind" else (Mode.ABS, 0)
    yield EbpfInsn(Class.LD | mode | _SIZE[op], 0, src, 0, _s32(k))


_LOADED = _SAVED_A - 4
_HEADER_MAC, _HEADER_NET = 0, 1  # BPF_HDR_START_*


def _helper_load(op: str, operand: str, k: int) -> Iterator[EbpfInsn]:
    """skb_load_bytes, where a load outside of the packet must give another result than 0."""
    size = _SIZE[op]
    relative = operand == "abs" and k >= LL_OFF
    yield _mov64(1, CTX)
    if operand == "ind":
        yield _mov(2, X, Src.X)
        yield EbpfInsn(Class.ALU | Alu.ADD | Src.K, 2, imm=_s32(_plain(operand, k)))
    else:
        yield _mov(2, _s32(k - (NET_OFF if k >= NET_OFF else LL_OFF) if relative else k))
    yield _mov64(3, FP)
    yield EbpfInsn(Class.ALU64 | Alu.ADD | Src.K, 3, imm=_LOADED)
    yield _mov(4, SIZE_BYTES[size])
    if relative:
        yield _mov(5, _HEADER_NET if k >= NET_OFF else _HEADER_MAC)
    helper = Helper.skb_load_bytes_relative if relative else Helper.skb_load_bytes
    yield EbpfInsn(Class.JMP | Jmp.CALL, imm=helper)
    yield EbpfInsn(Class.JMP | Jmp.JNE | Src.K, A, symbol=MISS)
    yield _ldx(size, A, FP, _LOADED)
    yield from _swap(size)


_LARGEST = 0xFFFF  # the verifier follows packet offsets up to MAX_PACKET_OFF


def _xdp_load(op: str, operand: str, k: int) -> Iterator[EbpfInsn]:
    """Direct packet access in a form that the verifier follows: bound the offset, compare with data_end, load, swap."""
    size = _SIZE[op]
    width = SIZE_BYTES[size]
    k = _plain(operand, k - LL_OFF if operand == "abs" and LL_OFF <= k < NET_OFF else k)
    if operand == "abs" and k + width > _LARGEST:
        yield EbpfInsn(Class.JMP | Jmp.JA, symbol=MISS)
        return
    if operand == "ind":
        yield _mov(1, X, Src.X)
        yield EbpfInsn(Class.ALU | Alu.ADD | Src.K, 1, imm=_s32(k))
        yield EbpfInsn(Class.JMP | Jmp.JGT | Src.K, 1, imm=_LARGEST - width, symbol=MISS)
    else:
        yield _mov(1, k)
    yield EbpfInsn(Class.ALU64 | Alu.ADD | Src.X, 1, DATA)
    yield _mov64(2, 1)
    yield EbpfInsn(Class.ALU64 | Alu.ADD | Src.K, 2, imm=width)
    yield EbpfInsn(Class.JMP | Jmp.JGT | Src.X, 2, DATA_END, symbol=MISS)
    yield _ldx(size, A, 1, 0)
    yield from _swap(size)


def _swap(size: Size) -> Iterator[EbpfInsn]:
    """A as a host number: fields of packets are big-endian."""
    if size != Size.B:
        yield EbpfInsn(Class.ALU | Alu.END | Src.X, A, imm=8 * SIZE_BYTES[size])


def _plain(operand: str, k: int) -> int:
    """An offset from the start of the packet; only the kernel's own load knows where the other headers begin."""
    if LL_OFF <= k < AD_OFF:
        raise NotSupportedError(
            f"a load at {_s32(k)}, relative to a header, in a program of this type", hint="a socket filter can do it"
        )
    return k


def _extension(name: str, target: _Target) -> Iterator[EbpfInsn]:
    if name == "xor_x":
        yield EbpfInsn(Class.ALU | Alu.XOR | Src.X, A, X)
    elif name in _HELPERS:
        yield EbpfInsn(Class.JMP | Jmp.CALL, imm=_HELPERS[name])
        if name == "random":
            yield _mov(A, A, Src.X)
    elif name == "ifidx" and target.match is None:
        # A packet of no device (AF_UNIX) ends the filter there, with what A holds (convert_bpf_extensions, net/core/filter.c).
        yield _ldx(Size.W, 1, CTX, _IFINDEX)
        yield EbpfInsn(Class.JMP | Jmp.JNE | Src.K, 1, off=1)
        yield _EXIT
        yield _mov(A, 1, Src.X)
    elif name in _SKB_FIELDS and target.load is not _xdp_load:
        offset, big = _SKB_FIELDS[name]
        yield _ldx(Size.W, A, CTX, offset)
        if big:
            yield EbpfInsn(Class.ALU | Alu.END | Src.X, A, imm=16)
    else:
        raise NotSupportedError(f"the classic extension [{name}] in an extended program of this type")


def _without_unused_labels(code: list[EbpfInsn]) -> list[EbpfInsn]:
    used = {insn.symbol for insn in code}
    return [insn if insn.label is None or insn.label in used else insn.replace(label=None) for insn in code]


def _s32(k: int) -> int:
    return k - (1 << 32) if k >> 31 else k


def _mov(dst: int, value: int, source: int = Src.K) -> EbpfInsn:
    """32-bit move of an immediate or a register; the upper half becomes 0."""
    src, imm = (0, value) if source == Src.K else (value, 0)
    return EbpfInsn(Class.ALU | Alu.MOV | source, dst, src, 0, imm)


def _mov64(dst: int, src: int) -> EbpfInsn:
    return EbpfInsn(Class.ALU64 | Alu.MOV | Src.X, dst, src)


def _ldx(size: int, dst: int, src: int, off: int) -> EbpfInsn:
    return EbpfInsn(Class.LDX | Mode.MEM | size, dst, src, off)


def _goto(index: int) -> EbpfInsn:
    return EbpfInsn(Class.JMP | Jmp.JA, symbol=f"L{index}")


_EXIT = EbpfInsn(Class.JMP | Jmp.EXIT)
