"""Every operator with every pair of types: what Python computes, wrapped where the type says so, or refused by name.

The rules stand in docs/language.md; `meets` and `expected` here are a second writing of them.
"""

from __future__ import annotations

import itertools
import operator

import pytest

from pybpf import (
    VM,
    CompileError,
    Global,
    HashMap,
    ProgArray,
    Struct,
    helpers,
    sched_cls,
    types,
    u32,
    u64,
    verify,
    xdp,
)

NAMES = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
BITS = {name: int(name[1:]) for name in NAMES}
LIMITS = {
    name: (0, (1 << bits) - 1) if name[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)
    for name, bits in BITS.items()
} | {"plain": (-(1 << 63), (1 << 63) - 1)}


class Numbers(Struct):
    u64: types.u64
    s64: types.s64
    other_u64: types.u64
    other_s64: types.s64
    u32: types.u32
    s32: types.s32
    other_u32: types.u32
    other_s32: types.s32
    u16: types.u16
    s16: types.s16
    other_u16: types.u16
    other_s16: types.s16
    u8: types.u8
    s8: types.s8
    other_u8: types.u8
    other_s8: types.s8


result, sign = Global(u64), Global(u64)
SCOPE = {**vars(types), "Numbers": Numbers, "result": result, "sign": sign}


def build(expression: str, decorator=sched_cls, **options):
    """A program that leaves the low 64 bits of an expression of `a` and `b`, and whether it is below 0."""
    first, second = options.pop("types", ("u64", "u64"))
    text = (
        f"def f(ctx):\n    p = ctx.packet(Numbers)\n    if p is None:\n        return 7\n"
        f"    a, b = p.{first}, p.other_{second}\n    x = {expression}\n    result.value = u64(x)\n"
        "    sign.value = 0\n    if x < 0:\n        sign.value = 1\n    return 0\n"
    )
    scope = dict(SCOPE)
    exec(compile(text, "<expression>", "exec"), scope)
    return decorator(source=text, **options)(scope["f"])


def kind(name: str) -> str:
    """The type that takes part: narrow numbers are plain."""
    return name if BITS.get(name, 0) >= 32 else "plain"


def meets(a: str, b: str) -> str:
    a, b = kind(a), kind(b)
    if a == b or b == "plain":
        return a
    if a == "plain":
        return b
    return "u64" if "u64" in (a, b) else "s64"


def wrapped(n: int, name: str) -> int:
    low, high = LIMITS[name]
    return (n - low) % (high - low + 1) + low


OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "&": operator.and_, "|": operator.or_, "^": operator.xor,
    "//": operator.floordiv, "%": operator.mod, "<<": operator.lshift, ">>": operator.rshift,
    "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def refused(op: str, a: str, b: str) -> bool:
    signs = {a[0], b[0]}
    if op in ("//", "%"):
        return "s" in signs
    if op in ("|", "^", "*") or op in ("<", "<=", "==", "!=", ">", ">="):
        return "u64" in (a, b) and "s" in signs
    return False


def narrow(a: str, b: str, type_: str) -> bool:
    """Whether a narrow signed number meets a 32-bit unsigned type that cannot hold it."""
    return type_ == "u32" and any(n[0] == "s" for n in (a, b))


def expected(op: str, a: int, b: int, ta: str, tb: str) -> int:
    exact = OPERATORS[op](a, b) if b or op not in ("//", "%") else (0 if op == "//" else a)
    if op in ("<", "<=", "==", "!=", ">", ">="):
        return int(exact)
    type_ = kind(ta) if op in ("<<", ">>") else meets(ta, tb)
    if narrow(ta, tb, type_) and op not in ("<<", ">>"):
        type_ = "plain"
    return wrapped(exact, type_)


def values(name: str) -> list[int]:
    low, high = LIMITS[name]
    return sorted({low, max(low, -1), 0, 3, high // 3, high - 1, high})


def packet(ta: str, a: int, tb: str, b: int) -> bytes:
    p = Numbers()
    setattr(p, ta, a)
    setattr(p, f"other_{tb}", b)
    return bytes(p) + bytes(14)


def distance(op: str, ta: str, tb: str) -> str:
    """Shift distances are masked to the width, as the language asks for."""
    width = BITS[ta] if BITS[ta] >= 32 else 64
    return f"(b & {min(width, 32 if kind(ta) == 'plain' and op == '<<' else width) - 1})" if op in ("<<", ">>") else "b"


@pytest.mark.parametrize("op", OPERATORS)
def test_operators(op):
    """Each pair of types: right for all corner values, or refused when it is in the table of what is."""
    for i, (ta, tb) in enumerate(itertools.product(NAMES, NAMES)):
        right = distance(op, ta, tb)
        spec = build(f"a {op} {right}", types=(ta, tb), isa=i % 4 + 1)
        if refused(op, ta, tb):
            with pytest.raises(CompileError, match=r"may be negative|rounds down"):
                _ = spec.insns
            continue
        vm = VM(spec)
        for a, b in itertools.product(values(ta), values(tb)):
            second = b & int(right[5:-1]) if right != "b" else b
            want = expected(op, a, second, ta, tb)
            assert vm.run(data=packet(ta, a, tb, b)).retval == 0
            assert (vm[result][0], vm[sign][0]) == (want & (1 << 64) - 1, int(want < 0)), (ta, a, op, tb, second)


@pytest.mark.parametrize(
    "expression", ["min(a, b)", "max(a, b)", "a if a < b else b", "abs(a) if b else b", "a or b", "a and b"]
)
def test_choices(expression):
    """What is one of two numbers is exact, or refused where one is u64 and the other may be negative."""
    for i, (ta, tb) in enumerate(itertools.product(NAMES, NAMES)):
        spec = build(expression, types=(ta, tb), isa=i % 4 + 1)
        if "u64" in (ta, tb) and "s" in (ta[0], tb[0]):
            try:
                _ = spec.insns
            except CompileError as error:
                told = str(error)
            else:
                told = ""
            if told:
                assert "may be negative" in told
                continue
        vm = VM(spec)
        for a, b in itertools.product(values(ta), values(tb)):
            want = eval(expression, {"a": a, "b": b})
            if expression.startswith("abs") and want > LIMITS[kind(ta)][1]:
                want = wrapped(want, kind(ta))
            assert vm.run(data=packet(ta, a, tb, b)).retval == 0
            assert (vm[result][0], vm[sign][0]) == (want & (1 << 64) - 1, int(want < 0)), (ta, a, tb, b)


def holds(target: str, source: str) -> bool:
    return LIMITS[target][0] <= LIMITS[source][0] and LIMITS[source][1] <= LIMITS[target][1]


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("source", NAMES)
def test_places_take_what_fits(source, target):
    """A field takes a number of each type that it holds, and the others by a cast, which wraps."""
    for value, fits in ((f"p.{source}", holds(target, source)), (f"{target}(p.{source})", True)):
        text = (
            "def f(ctx):\n    p = ctx.packet(Numbers)\n    if p is None:\n        return 7\n"
            f"    p.other_{target} = {value}\n    return 0\n"
        )
        scope = dict(SCOPE)
        exec(compile(text, "<store>", "exec"), scope)
        spec = xdp(source=text)(scope["f"])
        if not fits:
            with pytest.raises(
                CompileError,
                match=rf"other_{target} of the Numbers header takes {target}.*write {target}\(\.\.\.\) to wrap it",
            ):
                _ = spec.insns
            continue
        for number in values(source):
            run = VM(spec).run(data=packet(source, number, target, 0))
            after = Numbers.from_buffer_copy(run.data[: len(bytes(Numbers()))])
            assert getattr(after, f"other_{target}") == wrapped(number, target)


# body, part of the message or None: what else narrows
NARROWING = [
    ("return p.u64", "returns 32 bits, and this may be 0..18446744073709551615: write u32(...)"),
    ("return p.s64", "returns 32 bits"),
    ("return p.u32", None),
    ("return p.s32", None),
    ("return u32(p.u64)", None),
    ("return -1", None),
    ("return 1 << 32", "returns 32 bits, and 4294967296 has more"),
    ("return p.u32 + p.s32", "returns 32 bits"),
    ("x: u8 = p.u16\nreturn x", "x takes u8"),
    ("x: u32 = p.u64 >> 32\nreturn x", None),
    ("p.u8 += p.u8\nreturn 0", None),
    ("p.u8 += p.u16\nreturn 0", "u8 of the Numbers header is changed by a number that may be 0..65535: write u8(...) around it"),
    ("p.u32 += p.u64\nreturn 0", "u32(...) around it"),
    ("p.u32 -= p.s32\nreturn 0", None),
    ("p.u8 |= 256\nreturn 0", "changed by a number that may be 256"),
    ("p.u32 &= ~7\nreturn 0", None),
    ("p.u16 <<= 3\nreturn 0", None),
    ("p.u16 <<= p.u8\nreturn 0", "the distance may be 0..255"),
    ("p.u64 >>= 64\nreturn 0", "a shift by 64 of a 64-bit number: the distance is 0..63"),
    ("return u32(p.u32 << 32)", "a shift by 32 of a 32-bit number: the distance is 0..31"),
    ("small[0] += p.u64\nreturn 0", "u32(...) around it"),
    ("small[0] += p.u32\nreturn 0", None),
    ("small[0] = p.u64\nreturn 0", "takes u32"),
    ("small[p.u64] = 1\nreturn 0", "the key takes u32"),
    ("return bpf.redirect(p.u64)", "ifindex of redirect takes u32, and this number may be"),
    ("return bpf.redirect(p.u32)", None),
    ("return bpf.redirect(1 << 32)", "ifindex of redirect takes u32, and this number may be 4294967296"),
    ("return bpf.skb_change_tail(p.u64)", "takes u32"),
    ("bpf.skb_pull_data(u32(p.u64))\nreturn 0", None),
    ("programs.tail_call(ctx, p.u64)\nreturn 0", "the index of a program takes u32"),
    ("programs.tail_call(ctx, p.u32)\nreturn 0", None),
    ("return u32(p.u16 * (1 << 50))", "may need more than 64 bits"),
    ("return u32(u64(p.u16) * (1 << 50))", None),
    ("return u32(p.u8 << (p.u8 & 63))", "may need more than 64 bits"),
    ("return u32(p.u64 * p.s64)", "* of u64 and a number that may be negative"),
    ("return 1 if p.u64 == 1 << 64 else 0", None),
    ("return u32(p.u64 + (1 << 64))", "has more than 64 bits"),
    ("return u32(p.u64 % (1 << 64))", "has more than 64 bits"),
    ("return -p.u32", "would wrap"),
    ("return 1 if p.u64 == -1 else 0", "a u64 is never negative: write s64(...) around it"),
    ("return 1 if s64(p.u64) == -1 else 0", None),
    ("return 1 if p.u32 in (-1, 3) else 0", "write s32(...)"),
    ("t = p.u64 if p.u8 else p.s64\nreturn 0", "may be negative on another"),
    ("t = p.u32 if p.u8 else p.s64\nreturn u8(t)", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), NARROWING, ids=[b.replace("\n", "; ") for b, _ in NARROWING])
def test_nothing_narrows_unasked(body, message):
    lines = ["p = ctx.packet(Numbers)", "if p is None:", "    return 7", *body.split("\n")]
    text = "def f(ctx):\n" + "".join(f"    {line}\n" for line in lines)
    scope = {**SCOPE, "small": HashMap(u32, u32, max_entries=4), "programs": ProgArray(max_entries=2), "bpf": helpers}
    exec(compile(text, "<narrow>", "exec"), scope)
    spec = sched_cls(source=text)(scope["f"])
    if message is None:
        assert verify(spec).ok
        return
    with pytest.raises(CompileError) as caught:
        _ = spec.insns
    assert message in str(caught.value)
    assert caught.value.line is not None
    assert caught.value.line >= 5
