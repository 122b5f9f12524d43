# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Instructions to steps: loads, stores, atomics, calls and exits (arithmetic is in `alu`, jumps in `jumps`)."""

from __future__ import annotations

from ...asm.opcodes import LD_IMM64, SIZE_BYTES, Atomic, Call, Class, Jmp, Mode, Pseudo, Size
from ...uapi.map import MapType
from ...uapi.prog import ProgType
from ..calls.helpers import call_helper
from ..calls.kfuncs import call_kfunc
from ..calls.subprograms import call_function, check_resources, end_early, leave
from ..memory import stack
from ..memory.access import access
from ..memory.context import context_refused
from ..memory.pointers import check_unmodified
from ..numbers.num import sign_extend, truncate
from ..reject import Reject, unread, unwritable
from ..values import (
    ANY,
    ARENA,
    CTX,
    FLOW_KEYS,
    FUNC,
    KIND,
    LOADED,
    MAP_PTR,
    MAP_VALUE,
    PACKETS,
    SCALAR,
    SOCKETS,
    UNINIT,
    Reg,
    scalar,
    type_name,
)
from .alu import failing, reserved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from ..program import Op
    from ..state import State
    from .alu import Step

_ATOMICS = frozenset((0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1))
_READS_SKB = frozenset((ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT))
_SAME_KIND_NEEDED = frozenset((CTX, *SOCKETS))


def compile_step(run: Run, slot: int, op: Op) -> Step:
    """The step of an instruction that is neither arithmetic nor a jump."""
    opcode, dst, src, off, imm = op
    cls = opcode & 7
    if cls == Class.LDX:
        return _load(slot, op)
    if cls == Class.ST:
        if opcode & 0xE0 != Mode.MEM or src:
            raise reserved("BPF_ST")
        return failing((dst,), None) if dst > 10 else _store(slot, dst, off, SIZE_BYTES[opcode & 0x18], -1, scalar(imm))  # type: ignore[index]
    if cls == Class.STX:
        if opcode & 0xE0 == Mode.ATOMIC:
            return _atomic(run, slot, op)
        if opcode & 0xE0 != Mode.MEM or imm:
            raise reserved("BPF_STX")
        if dst > 10 or src > 10:
            return failing((src, dst), None)
        return _store(slot, dst, off, SIZE_BYTES[opcode & 0x18], src, None)  # type: ignore[index]
    if cls == Class.LD:
        return _load_special(run, slot, op)
    if opcode & 0xF0 == Jmp.CALL:
        return _call(slot, op)
    if opcode & 8 or imm or src or dst or cls == Class.JMP32:
        raise reserved("BPF_EXIT")
    return leave


def note_pointer(run: Run, slot: int, type: int) -> None:
    """One instruction accesses one kind of memory: the kernel rewrites accesses to contexts and sockets."""
    if type & KIND == 16 and not type & 0x2000:  # only untrusted pointers to kernel objects are rewritten
        type = 16
    known = run.pointer_types.setdefault(slot, type)
    if known != type and (_rewritten(known) or _rewritten(type)):
        raise Reject(
            "type",
            "same insn cannot be used with different pointers",
            hint=f"on one path this accesses a {type_name(known)}, on another a {type_name(type)}: use an instruction for each",
        )


def _rewritten(type: int) -> bool:
    return type in _SAME_KIND_NEEDED or type & KIND in (16, ARENA)


def _load(slot: int, op: Op) -> Step:
    opcode, dst, src, off, _ = op
    size = SIZE_BYTES[opcode & 0x18]  # type: ignore[index]
    signed = opcode & 0xE0 == Mode.MEMSX
    if dst >= 10 or src > 10:
        return failing((src,), None, dst)
    after = slot + 1
    narrow = LOADED[size]
    on_stack = src == 10 and -stack.STACK_SIZE <= off < 0 and not off % size

    def step(run: Run, state: State) -> int:
        frames = state.frames
        frame = frames[-1]
        regs = frame.regs
        base = regs[src]
        type = base.type
        if not type:
            raise unread(src)
        if on_stack and off >= -8 * len(frame.stack):  # aligned, and inside of what is known to be used
            value = stack.read_at(run, state, frame, len(frames) - 1, off, size, True)
        else:
            value = access(run, state, src, off, size, False)
            if run.pointer_types.get(slot, -1) != type:
                note_pointer(run, slot, type)
        assert value is not None
        if signed and type == CTX and value.type != SCALAR:
            raise context_refused(run, base.off + off, size)
        if size < 8 and value.type == SCALAR and (signed or value is not narrow):
            num = sign_extend(value.num, size) if signed else truncate(value.num, size)
            value = Reg(SCALAR, num, 0, value.id, 0, value.data) if num is not value.num else value
        regs[dst] = value
        return after

    return step


def _store(slot: int, dst: int, off: int, size: int, src: int, constant: Reg | None) -> Step:
    after = slot + 1
    on_stack = dst == 10 and -stack.STACK_SIZE <= off < 0 and not off % size

    def step(run: Run, state: State) -> int:
        frames = state.frames
        frame = frames[-1]
        regs = frame.regs
        if constant is not None:
            value = constant
        else:
            value = regs[src]
            if not value.type:
                raise unread(src)
        if on_stack and off >= -8 * len(frame.stack):
            stack.write_at(run, state, frame, len(frames) - 1, off, size, value, src, True)
            return after
        base = regs[dst]
        if not base.type:
            raise unread(dst)
        access(run, state, dst, off, size, True, value, src)
        if run.pointer_types.get(slot, -1) != base.type:
            note_pointer(run, slot, base.type)
        return after

    return step


# -- atomics


def _atomic(run: Run, slot: int, op: Op) -> Step:
    opcode, dst, src, off, imm = op
    size = SIZE_BYTES[opcode & 0x18]  # type: ignore[index]
    if imm in (Atomic.LOAD_ACQ, Atomic.STORE_REL) and run.setting.at_least("6.15"):
        return _acquire(slot, op, size) if imm == Atomic.LOAD_ACQ else _release(slot, op, size)
    if imm not in _ATOMICS or (imm and not run.setting.at_least("5.12")):
        raise Reject("encoding", f"BPF_ATOMIC uses invalid atomic opcode {imm & 0xFFFFFFFF:02x}")
    if opcode & 0x18 not in (Size.W, Size.DW):
        raise Reject("encoding", "invalid atomic operand size", hint="atomics work on 4 or 8 bytes")
    exchange = imm == Atomic.CMPXCHG
    result = 0 if exchange else src if imm & Atomic.FETCH else -1

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        for reg in (src, dst, 0) if exchange else (src, dst):
            if reg > 10 or not regs[reg].type:
                raise unread(reg)
        if exchange:
            run.check_leak(regs[0], "R0 leaks addr into mem")
        run.check_leak(regs[src], f"R{src} leaks addr into mem")
        _check_atomic_target(regs[dst], dst, "stores into")
        if result == 10:
            raise unwritable(10)
        if result >= 0:
            regs[result] = ANY  # before the access: a register cannot be address and result at once
        run.atomic = True
        try:
            loaded = access(run, state, dst, off, size, False, into=False, strict=True)
            if result >= 0:
                loaded = access(run, state, dst, off, size, False, strict=True)
            access(run, state, dst, off, size, True, None, -1, strict=True)
        finally:
            run.atomic = False
        if result >= 0:
            assert loaded is not None
            if loaded.type == SCALAR and size < 8:
                loaded = Reg(SCALAR, truncate(loaded.num, size), 0, 0)
            regs[result] = loaded
        note_pointer(run, slot, regs[dst].type if result != dst else SCALAR)
        return slot + 1

    return step


def _check_atomic_target(reg: Reg, regno: int, verb: str) -> None:
    kind = reg.type & KIND
    if kind in (CTX, FLOW_KEYS) or kind in PACKETS or kind == 9 or kind in SOCKETS:
        raise Reject(
            "type",
            f"BPF_ATOMIC {verb} R{regno} {type_name(reg.type)} is not allowed",
            hint="atomics work on the stack and on map values",
            regs=(regno,),
        )


def _acquire(slot: int, op: Op, size: int) -> Step:
    _, dst, src, off, _ = op
    if dst >= 10 or src > 10:
        return failing((src,), None, dst)

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        if not regs[src].type:
            raise unread(src)
        _check_atomic_target(regs[src], src, "loads from")
        value = access(run, state, src, off, size, False, strict=True)
        assert value is not None
        if size < 8 and value.type == SCALAR:
            value = Reg(SCALAR, truncate(value.num, size), 0, value.id, 0, value.data)
        regs[dst] = value
        return slot + 1

    return step


def _release(slot: int, op: Op, size: int) -> Step:
    _, dst, src, off, _ = op
    if dst > 10 or src > 10:
        return failing((src, dst), None)

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        for reg in (src, dst):
            if not regs[reg].type:
                raise unread(reg)
        _check_atomic_target(regs[dst], dst, "stores into")
        access(run, state, dst, off, size, True, regs[src], src, strict=True)
        return slot + 1

    return step


# -- wide loads, and loads from the packet


def _load_special(run: Run, slot: int, op: Op) -> Step:
    opcode, dst, src, off, imm = op
    if opcode != LD_IMM64:
        return _load_packet(run, slot, op)
    if off:
        raise reserved("BPF_LD_IMM64")
    if dst >= 10:
        return failing((), None, dst)
    value = _constant(run, slot, src, imm)
    after = slot + 2

    def step(run: Run, state: State) -> int:
        state.frames[-1].regs[dst] = value
        return after

    return step


def _constant(run: Run, slot: int, src: int, imm: int) -> Reg:
    """What a wide load puts into its register."""
    program = run.program
    high = program.ops[slot + 1][4]
    if src == Pseudo.NONE:
        return scalar((high & 0xFFFFFFFF) << 32 | imm & 0xFFFFFFFF)
    if src == Pseudo.BTF_ID:
        return run.setting.variable(program, slot)
    if src == Pseudo.FUNC:
        subprog = program.subprog_at(slot + imm + 1)
        assert subprog is not None  # collected before
        if not run.setting.spec.func_info:
            raise Reject(
                "btf", "missing btf func_info", hint="a program with callbacks needs BTF that describes its functions"
            )
        if run.function(subprog).linkage != 0:
            raise Reject("btf", "callback function not static")
        return Reg(FUNC, data=subprog)
    target = program.maps[slot]
    if src in (Pseudo.MAP_VALUE, Pseudo.MAP_IDX_VALUE):
        if target.type == MapType.ARENA:
            return ANY
        return Reg(MAP_VALUE, off=high & 0xFFFFFFFF, data=target)
    return Reg(MAP_PTR, data=target)


def _load_packet(run: Run, slot: int, op: Op) -> Step:
    """BPF_LD_ABS and BPF_LD_IND: bytes of the packet, which end the program when they are not there."""
    opcode, dst, src, off, _ = op
    mode = opcode & 0xE0
    if run.setting.prog_type not in _READS_SKB:
        text = "BPF_LD_[ABS|IND] instructions not allowed for this program type"
        raise Reject("helper", text, hint="use bpf_skb_load_bytes, or direct packet access")
    if dst or off or opcode & 0x18 == Size.DW or (mode == Mode.ABS and src):
        raise reserved("BPF_LD_[ABS|IND]")

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        context = regs[6]
        if not context.type:
            raise unread(6)
        check_resources(state, "BPF_LD_[ABS|IND]", locks=True)
        if context.type != CTX:
            raise Reject(
                "type",
                "at the time of BPF_LD_ABS|IND R6 != pointer to skb",
                hint="move the context (R1 at the start) to R6 first",
                regs=(6,),
            )
        if mode == Mode.IND and (src > 10 or not regs[src].type):
            raise unread(src)
        check_unmodified(context, 6)
        for reg in range(1, 6):
            regs[reg] = UNINIT
        regs[0] = ANY
        if len(state.frames) > 1 and run.tracks_early_ends:
            return end_early(run, state, slot, scalar(0))
        return slot + 1

    return step


# -- calls


def _call(slot: int, op: Op) -> Step:
    opcode, dst, src, off, imm = op
    if (
        opcode & 8
        or (src != Call.KFUNC and off)
        or src not in (Call.HELPER, Call.LOCAL, Call.KFUNC)
        or dst
        or opcode & 7 == Class.JMP32
    ):
        raise reserved("BPF_CALL")
    allowed_locked = src == Call.LOCAL or (src == Call.HELPER and imm == 94)

    def step(run: Run, state: State) -> int:
        run.explored.jumps += 1
        if not allowed_locked and state.lock() is not None and src == Call.HELPER:
            raise Reject(
                "lock",
                "function calls are not allowed while holding a lock",
                hint="unlock before the call: only bpf_spin_unlock may be called in between",
            )
        if src == Call.LOCAL:
            return call_function(run, state, slot, slot + 1 + imm)
        if src == Call.KFUNC:
            return call_kfunc(run, state, slot)
        return call_helper(run, state, slot, imm)

    return step
