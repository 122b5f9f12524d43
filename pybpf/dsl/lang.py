"""Names of the language that are not Python's own: functions that mean something inside a program.

Each has a meaning in plain Python too where that is possible, so a function can be tried out by calling it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    T = TypeVar("T")


class Bounded(int):
    """What `bounded(n, max=...)` gives: a number with the most that it may be."""

    most: int
    number: Any


def bounded(n: int, *, max: int) -> int:
    """`range(bounded(n, max=64))` runs n rounds, but 64 at most, which the kernel's verifier can follow."""
    return min(n, max)


def unroll(steps: Iterable[T]) -> Iterable[T]:
    """`for i in unroll(range(4))`: one copy of the body for each round, with `i` a constant in it."""
    return steps


def sdiv(a: int, b: int) -> int:
    """Signed division toward zero, as C divides; 0 when b is 0."""
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def smod(a: int, b: int) -> int:
    """The remainder of `sdiv`, with the sign of `a`; `a` when b is 0."""
    return a if b == 0 else a - sdiv(a, b) * b


def printk(text: str) -> None:
    """Write an f-string to the kernel's trace pipe: `printk(f"pid {pid} opened {name}")`.

    Formats are Python's, as far as the kernel has them: `{x}`, `{x:x}`, `{x:#x}`, `{x:08x}`, `{x:<8}`, `{x:+}`, `{x:c}`, `{x:p}`
    (negative numbers in hexadecimal as C does); a `char` array prints as text (`{comm:16}`).  The kernel's own: `pI4`,
    `pI6` of addresses (Linux 5.13), `pM` of six bytes, `ps`, `pS`, `pB` (symbols), `pK`, `px` of kernel addresses.
    In plain Python it prints.
    """
    print(text)


def sizeof(type_: Any) -> int:
    """Bytes of a type or of what a reference refers to."""
    from .objects.layout import sizeof as measure

    return measure(type_)


def swap16(x: int) -> int:
    """The two low bytes of `x` exchanged: htons and ntohs on a little-endian machine."""
    return int.from_bytes((x & 0xFFFF).to_bytes(2, "big"), "little")


def swap32(x: int) -> int:
    """The four low bytes of `x` in the other order."""
    return int.from_bytes((x & 0xFFFFFFFF).to_bytes(4, "big"), "little")


def swap64(x: int) -> int:
    """The eight bytes of `x` in the other order."""
    return int.from_bytes((x & (1 << 64) - 1).to_bytes(8, "big"), "little")
