"""What compilers and careful authors write: functions, callbacks, locks, dynptrs, iterators, bounds checks, header parsing.

Each shape is a function of a `generate.Writer`; most of the time it is right, and each of its steps is sometimes left out.
"""

from __future__ import annotations

from pybpf.asm.insn import Insn
from pybpf.btf.builder import GLOBAL, STATIC, BtfBuilder
from pybpf.spec import MapSpec
from pybpf.uapi.map import MapType

ITERATORS, PREEMPT = (6, 4), (6, 13)  # the first kernels with bpf_iter_num_new and bpf_preempt_disable for all
FUNCTIONS = 8


def _functions() -> tuple[bytes, int, list[int], list[int]]:
    """BTF of a main function, and of functions of two numbers: static ones and global ones."""
    builder = BtfBuilder()
    number = builder.add_int("int", 4, signed=True)
    proto = builder.add_func_proto(number, [("a", number), ("b", number)])
    main = builder.add_func("main", builder.add_func_proto(number, [("ctx", builder.add_ptr(0))]))
    made = [[builder.add_func(f"{name}{i}", proto, link) for i in range(FUNCTIONS)] for name, link in _LINKAGES]
    return builder.to_bytes(), main, *made


def _locked() -> MapSpec:
    builder = BtfBuilder()
    u32 = builder.add_int("unsigned int", 4)
    lock = builder.add_struct("bpf_spin_lock", 4, [("val", u32, 0)])
    value = builder.add_struct("value", 16, [("lock", lock, 0), ("a", u32, 32), ("b", u32, 64), ("c", u32, 96)])
    key, raw = u32, builder.to_bytes()
    return MapSpec(MapType.ARRAY, 4, 16, 2, name="locked", btf=raw, btf_key=key, btf_value=value)


_LINKAGES = (("static", STATIC), ("global", GLOBAL))
BTF, MAIN, STATIC_IDS, GLOBAL_IDS = _functions()
LOCKED = _locked()


def _mostly(w) -> bool:
    return w.careful or w.rng.random() < 0.93


# -- functions and callbacks


def function(w) -> None:
    """A call of a function of this program, with numbers, or with a pointer to the stack or the context."""
    rng = w.rng
    shared = rng.random() < 0.3
    pointer = None if shared else rng.choice((None, 10, 10, 6))
    if pointer is None:
        w.mov(1, w.number())
    else:
        w.mov(1, pointer)
        if pointer == 10:
            w.add(1, -rng.choice((8, 16, 24)))
    w.mov(2, w.number()) if _mostly(w) else None
    w.call_function(w.apart(lambda: _body(w, pointer)), shared)
    if rng.random() < 0.6:
        w.mov(w.number(), 0)


def _body(w, pointer: int | None) -> None:
    rng = w.rng
    if pointer == 10:
        if rng.random() < 0.6:
            w.store(1, 0, 2, rng.choice((4, 8)))
        w.load(3, 1, 0, rng.choice((4, 8)))
    else:
        w.mov(3, 2)
    if rng.random() < 0.5:
        w.store(10, -8 * rng.randrange(1, 20), 2, 8)
    if rng.random() < 0.5:
        w.skip(rng.choice((0x25, 0xA5, 0x15, 0x66)), 2, 0, rng.choice((0, 7, 100)), w.apart(lambda: w.add(3, 1)))
    if rng.random() < 0.3:
        w.emit(0x85, imm=7)
    elif _mostly(w):
        w.mov(0, 3) if rng.random() < 0.7 else w.const(0, rng.choice((0, 1)))
    w.emit(0x95)


def repeated(w) -> None:
    """bpf_loop with a callback that counts in the caller's frame."""
    rng = w.rng
    if 181 not in w.program.helpers:
        return
    if _mostly(w):
        w.emit(0x7A, 10, 0, -16, rng.choice((0, 0, 5)))
    if rng.random() < 0.5:
        w.const(1, rng.choice((0, 1, 10, 1000, 1 << 24)))
    else:
        w.mov(1, w.number())

    def body() -> None:
        w.load(3, 2, 0, 8)
        w.add(3, 1)
        if rng.random() < 0.4:
            w.skip(0x25, 3, 0, rng.choice((3, 15, 60)), w.apart(lambda: _leave(w, 1)))
            w.mov(4, 2)
            if rng.random() < 0.5:
                w.emit(0x0F, 4, 3)
                w.emit(0x72, 4, 0, -rng.choice((0, 16, 60)), 1)
        w.store(2, 0, 3, 8)
        _leave(w, 0 if _mostly(w) else rng.choice((1, 2, -1)))

    w.function_pointer(2, w.apart(body))
    w.mov(3, 10)
    w.add(3, -16)
    w.const(4, 0 if _mostly(w) else 1)
    w.emit(0x85, imm=181)
    if rng.random() < 0.5:
        w.load(w.number(), 10, -16, 8)


def each(w) -> None:
    """bpf_for_each_map_elem."""
    rng = w.rng
    if 164 not in w.program.helpers:
        return
    name = rng.choice(("hash", "array", "percpu", "lru", "queue" if not _mostly(w) else "hash"))
    w.emit(0x7A, 10, 0, -8, 0)
    w.map(1, name)

    def body() -> None:
        w.load(5, rng.choice((2, 3, 3, 3)), rng.choice((0, 0, 4, 12, 44)), rng.choice((1, 4, 4, 8)))
        if rng.random() < 0.4:
            w.store(rng.choice((3, 4, 4)), 0, 5, rng.choice((4, 8)))
        _leave(w, rng.choice((0, 0, 1)) if _mostly(w) else 2)

    w.function_pointer(2, w.apart(body))
    w.mov(3, 10)
    w.add(3, -8)
    w.const(4, 0)
    w.emit(0x85, imm=164)


def _leave(w, result: int) -> None:
    w.const(0, result)
    w.emit(0x95)


# -- instructions that few programs use


def rare(w) -> None:
    """Sign-extending loads, signed division, long jumps, atomics of every kind, on the stack and in maps."""
    rng = w.rng
    choice = rng.randrange(6)
    off = -8 * rng.randrange(1, 6)
    if choice == 0:
        w.emit(0x7A, 10, 0, off, rng.choice((0, -1, 200)))
        w.emit(rng.choice((0x91, 0x89, 0x81, 0x99 if rng.random() < 0.1 else 0x81)), w.number(), 10, off)
    elif choice == 1:
        op = rng.choice((0x37, 0x34, 0x97, 0x94)) | rng.choice((0, 8))
        w.emit(op, w.number(), w.number() if op & 8 else 0, 1, 0 if op & 8 else rng.choice((1, 3, -1, 7, 64)))
    elif choice == 2:
        body = w.apart(w.arithmetic)
        w.emit(0x06, imm=sum(insn.slots for insn in body))
        w.skip(0x55, 7, 0, 1, body)
    elif choice == 3:
        w.emit(0x7A, 10, 0, off, 1)
        op = rng.choice((0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1))
        if op == 0xF1:
            w.mov(0, w.number())
        w.emit(rng.choice((0xDB, 0xDB, 0xC3)), 10, w.number(), off, op)
        w.load(w.number(), 10, off, 8)
    elif choice == 4:
        w.emit(0x7A, 10, 0, off, 7)
        kind = rng.choice((0x100, 0x110))
        size = rng.choice((0xC3, 0xCB, 0xD3, 0xDB))
        w.emit(size, *((w.number(), 10) if kind == 0x100 else (10, w.number())), off, kind)
    else:
        w.emit(rng.choice((0xBF, 0xBF, 0xBC)), w.number(), w.number(), rng.choice((8, 16, 32)))


def maybe(w) -> None:
    """A loop that may_goto ends."""
    body = w.apart(lambda: (w.add(7, 1), w.fragment(simple=True)))
    length = sum(insn.slots for insn in body)
    w.emit(0xE5, 0, 0, length + 1)
    w.insns += body
    w.emit(0x05, 0, 0, -length - 2)


def counted(w) -> None:
    """A loop as compilers write it: up or down, wide or narrow, with a counter that is compared at either end."""
    rng = w.rng
    count = rng.choice((1, 3, 8, 30))
    wide = rng.random() < 0.7
    body = w.apart(lambda: w.fragment(simple=True))
    if rng.random() < 0.3:
        body += w.apart(lambda: w.store(10, -8, 9, 8))
    length = sum(insn.slots for insn in body)
    if rng.random() < 0.5:
        w.const(9, count)
        w.insns += body
        w.emit(0x07 if wide else 0x04, 9, 0, 0, -1)
        w.emit(rng.choice((0x55, 0x65)) | (0 if wide else 3), 9, 0, -length - 2, 0)
    else:
        w.const(9, 0)
        w.emit(0x35 if wide else 0x36, 9, 0, length + 2, count)
        w.insns += body
        w.emit(0x07 if wide else 0x04, 9, 0, 0, 1)
        w.emit(0x05, 0, 0, -length - 3)


# -- bounds


def indexed(w) -> None:
    """An index from anywhere, bounded in one of the ways of compilers, perhaps spilled on the way, into a value of a map."""
    rng = w.rng
    index = w.number()
    kept = 9
    w.mov(kept, index) if rng.random() < 0.6 else w.emit(0xBC, kept, index)
    if rng.random() < 0.3:
        w.emit(0x67, kept, 0, 0, 32)
        w.emit(rng.choice((0x77, 0xC7)), kept, 0, 0, 32)
    if rng.random() < 0.3:
        w.store(10, -24, kept, 8)
    w.map(1, "array")
    w.emit(0x62, 10, 0, -4, 1)
    w.mov(2, 10)
    w.add(2, -4)
    w.emit(0x85, imm=1)
    scale = rng.choice((0, 0, 1, 2, 3))
    size = 1 << scale

    def use() -> None:
        if rng.random() < 0.3:
            w.load(kept, 10, -24, 8)
        if scale:
            w.emit(0x67, kept, 0, 0, scale)
        w.emit(0x0F, 0, kept)
        if rng.random() < 0.5:
            w.load(w.number(), 0, 0, size)
        else:
            w.store(0, rng.choice((0, 0, 8)), 8, size)

    limit = (48 >> scale) - (1 if _mostly(w) else 0)
    how = rng.randrange(4)
    if how == 0:
        w.emit(rng.choice((0x57, 0x54)), kept, 0, 0, {0: 31, 1: 15, 2: 7, 3: 3}[scale])
        w.skip(0x15, 0, 0, 0, w.apart(use))
    elif how == 1:
        inner = w.apart(use)
        w.skip(0x15, 0, 0, 0, w.apart(lambda: w.skip(rng.choice((0x25, 0x26)), kept, 0, limit, inner)))
    elif how == 2:
        inner = w.apart(use)
        check = w.apart(lambda: w.skip(rng.choice((0x65, 0x66)), kept, 0, limit, inner))
        w.skip(0x15, 0, 0, 0, w.apart(lambda: w.skip(rng.choice((0xC5, 0xC6)), kept, 0, 0, check)))
    else:
        inner = w.apart(use)
        w.emit(0xB7, 2, imm=limit)
        w.skip(0x15, 0, 0, 0, w.apart(lambda: w.skip(rng.choice((0x2D, 0x2E)), kept, 2, 0, inner)))


def headers(w) -> None:
    """Ethernet, IPv4 with options, and a port: the parser of every tutorial."""
    rng = w.rng
    fields = w.program.context.fields
    start, end = fields.get("data"), fields.get("data_end")
    if start is None or end is None:
        return
    w.load(2, 6, start.offset, start.size)
    w.load(3, 6, end.offset, end.size)
    spilled = rng.random() < 0.3
    if spilled:
        w.store(10, -40, 2, 8)
        w.store(10, -48, 3, 8)

    def inside() -> None:
        w.load(5, 2, 12, 2)
        w.load(4, 2, 14, 1)
        w.emit(rng.choice((0x57, 0x54)), 4, 0, 0, 15)
        w.emit(rng.choice((0x67, 0x64)), 4, 0, 0, 2)
        if spilled:
            w.load(2, 10, -40, 8)
            w.load(3, 10, -48, 8)
        w.mov(5, 2)
        if rng.random() < 0.5:
            w.add(5, 14)
            w.emit(0x0F, 5, 4)
        else:
            w.emit(0x0F, 5, 4)
            w.add(5, 14)
        w.mov(0, 5)
        w.add(0, 4 if _mostly(w) else 2)
        w.skip(rng.choice((0x2D, 0x3D)), 0, 3, 0, w.apart(lambda: w.load(7, 5, rng.choice((0, 2)), 2)))
        if rng.random() < 0.2:
            w.store(5, 0, 7, 2)

    w.mov(4, 2)
    w.add(4, 34 if _mostly(w) else 14)
    w.skip(rng.choice((0x2D, 0x3D)), 4, 3, 0, w.apart(inside))


def counter(w) -> None:
    """Look a key up, add to what is there, or put a first value in."""
    rng = w.rng
    w.store(10, -8, w.number(), rng.choice((4, 8, 8)))
    w.mov(2, 10)
    w.add(2, -8)
    w.map(1, "hash")
    w.emit(0x85, imm=1)

    def first() -> None:
        w.emit(0x7A, 10, 0, -24, 1)
        if _mostly(w):
            w.emit(0x7A, 10, 0, -16, 0)
        w.map(1, "hash")
        w.mov(2, 10)
        w.add(2, -8)
        w.mov(3, 10)
        w.add(3, -24)
        w.const(4, rng.choice((0, 0, 1, 2)))
        w.emit(0x85, imm=2)

    def more() -> None:
        if rng.random() < 0.5:
            w.const(1, 1)
            w.emit(0xDB, 0, 1, rng.choice((0, 8)), rng.choice((0, 1)))
        else:
            w.load(1, 0, 8, 8)
            w.add(1, 1)
            w.store(0, 8, 1, 8)

    other = w.apart(first)
    w.skip(0x15, 0, 0, 0, [*w.apart(more), Insn(0x05, off=sum(insn.slots for insn in other))])
    w.insns += other


# -- what is held


def locked(w) -> None:
    rng = w.rng
    if 93 not in w.program.helpers:
        return
    w.maps["locked"] = LOCKED
    w.emit(0x62, 10, 0, -4, 0)
    w.mov(2, 10)
    w.add(2, -4)
    w.insns.append(Insn(0x18, 1, 1, 0, 0, 0, symbol="locked"))
    w.emit(0x85, imm=1)

    def use() -> None:
        w.mov(9, 0)
        w.mov(1, 0)
        if _mostly(w):
            w.emit(0x85, imm=93)
        w.load(7, 9, rng.choice((4, 8, 12)) if _mostly(w) else rng.choice((0, 2)), 4)
        w.store(9, 8, 7, 4)
        if rng.random() < 0.05:
            w.emit(0x85, imm=7)
        w.mov(1, 9)
        if _mostly(w):
            w.emit(0x85, imm=94)

    w.skip(0x15, 0, 0, 0, w.apart(use))


def dynptr(w) -> None:
    """A dynptr over a map's value or a ring buffer's record: written, read, sliced, given back."""
    rng = w.rng
    if 198 not in w.program.helpers:
        return
    if rng.random() < 0.5:
        w.map(1, "ringbuf")
        w.const(2, rng.choice((8, 64)))
        w.const(3, 0)
        w.mov(4, 10)
        w.add(4, -32)
        w.emit(0x85, imm=198)
        held = True
    else:
        w.map(1, "single", 0)
        w.const(2, rng.choice((8, 64)) if _mostly(w) else 80)
        w.const(3, 0)
        w.mov(4, 10)
        w.add(4, -32)
        w.emit(0x85, imm=197)
        held = not _mostly(w)
    for _ in range(rng.randrange(3)):
        how = rng.randrange(3)
        if how == 0:
            w.mov(1, 10)
            w.add(1, -32)
            w.const(2, 0)
            w.const(3, rng.choice((4, 8)))
            w.emit(0x85, imm=203)
            w.skip(0x15, 0, 0, 0, w.apart(lambda: w.load(7, 0, rng.choice((0, 0, 4)), rng.choice((1, 4)))))
        elif how == 1:
            w.emit(0x7A, 10, 0, -8, 0)
            w.mov(1, 10)
            w.add(1, -8)
            w.const(2, rng.choice((4, 8)))
            w.mov(3, 10)
            w.add(3, -32)
            w.const(4, 0)
            w.const(5, 0)
            w.emit(0x85, imm=201)
        elif not _mostly(w):
            w.emit(0x7A, 10, 0, rng.choice((-32, -24)), 0)
    if held and _mostly(w):
        w.mov(1, 10)
        w.add(1, -32)
        w.const(2, 0)
        w.emit(0x85, imm=rng.choice((199, 200)))


def iterator(w) -> None:
    """bpf_iter_num: a loop over numbers that the kernel counts."""
    rng = w.rng
    if w.version < ITERATORS:
        return

    def call(name: str) -> None:
        w.mov(1, 10)
        w.add(1, -56)
        if name == "new":
            w.const(2, 0)
            w.const(3, rng.choice((0, 10, 1000)))
        w.insns.append(Insn(0x85, 0, 2, 0, 0, symbol=f"bpf_iter_num_{name}"))

    call("new")
    again = w.apart(lambda: call("next"))
    body = w.apart(lambda: (w.load(7, 0, 0, 4 if _mostly(w) else 8), w.fragment(simple=True)))
    w.insns += again
    length = sum(insn.slots for insn in body)
    w.emit(0x15, 0, 0, length + 1, 0)
    w.insns += body
    w.emit(0x05, 0, 0, -length - 2 - len(again))
    if _mostly(w):
        call("destroy")


def section(w) -> None:
    """RCU and preemption sections."""
    if w.version < PREEMPT:
        return
    name = w.rng.choice(("rcu_read_%slock", "preempt_%sable"))
    words = ("", "un") if name[0] == "r" else ("dis", "en")
    w.insns.append(Insn(0x85, 0, 2, 0, 0, symbol="bpf_" + name % words[0]))
    w.fragment(simple=True)
    if _mostly(w):
        w.insns.append(Insn(0x85, 0, 2, 0, 0, symbol="bpf_" + name % words[1]))


def traced(w) -> None:
    """Read memory of the kernel to the stack and send it to user space."""
    rng = w.rng
    helpers = w.program.helpers
    if 113 in helpers:
        w.mov(1, 10)
        w.add(1, -48)
        if rng.random() < 0.5:
            w.const(2, rng.choice((8, 16, 48)) if _mostly(w) else 64)
        else:
            w.mov(2, w.number())
            w.emit(rng.choice((0x57, 0x54)), 2, 0, 0, 31 if _mostly(w) else 63)
        w.mov(3, w.number())
        w.emit(0x85, imm=rng.choice((113, 115)))
    if 25 in helpers:
        w.mov(1, 6)
        w.map(2, "events")
        w.insns.append(Insn(0x18, 3, 0, 0, -1, 0))
        w.mov(4, 10)
        w.add(4, -48)
        w.const(5, rng.choice((8, 16, 48)))
        w.emit(0x85, imm=25)
    if 14 in helpers:
        w.emit(0x85, imm=14)
        w.emit(0x77, 0, 0, 0, 32)
        w.emit(0x55, 0, 0, 0, 1)
        w.mov(7, 0)


SHAPES = (
    *(function, function, repeated, each, rare, rare, maybe, counted, counted, indexed, indexed, headers, headers),
    *(counter, locked, dynptr, iterator, section, traced),
)
