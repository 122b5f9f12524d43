"""Operands of `build`: registers, addresses, widths; and what must hold of each.  AsmError says what was expected instead."""

from __future__ import annotations

from ..errors import AsmError
from .opcodes import Size

B, H, W, DW = Size.B, Size.H, Size.W, Size.DW


class Register:
    """A register: `number` 0 to 10, `bits` 64 (r) or 32 (w).  Adding or subtracting a number gives an `Address`."""

    __slots__ = ("bits", "number")

    def __init__(self, number: int, bits: int = 64) -> None:
        self.number = number
        self.bits = bits

    def __add__(self, offset: int) -> Address:
        return Address(self, offset)

    def __sub__(self, offset: int) -> Address:
        return Address(self, -offset)

    def __repr__(self) -> str:
        return f"{'r' if self.bits == 64 else 'w'}{self.number}"


class Address:
    """A place in memory: a 64-bit register plus a signed 16-bit offset in bytes."""

    __slots__ = ("base", "offset")

    def __init__(self, base: Register, offset: int) -> None:
        register(base, 64)
        self.base = base
        self.offset = number("offset", offset, -(1 << 15), (1 << 15) - 1)

    def __repr__(self) -> str:
        return f"{self.base} {'-' if self.offset < 0 else '+'} {abs(self.offset)}"


r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10 = map(Register, range(11))
w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10 = (Register(n, 32) for n in range(11))


def number(what: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int):
        raise AsmError(f"{what} is {value!r}: expected a number")
    if not low <= value <= high:
        raise AsmError(f"{what} {value} is out of range: expected {low} to {high}")
    return int(value)


def register(operand: object, bits: int | None = None) -> Register:
    if not isinstance(operand, Register):
        raise AsmError(f"{operand!r} is not a register: expected {'w0 to w10' if bits == 32 else 'r0 to r10'}")
    if bits is not None and operand.bits != bits:
        raise AsmError(
            f"{operand!r} has {operand.bits} bits: expected a {bits}-bit register, {'rw'[bits == 32]}{operand.number}"
        )
    return operand


def immediate(value: object, bits: int = 64) -> int:
    """An immediate: signed 32 bits; a 32-bit operation may also write it unsigned."""
    found = number("immediate", value, -(1 << 31), (1 << 32 if bits == 32 else 1 << 31) - 1)
    return found - (1 << 32) if found >> 31 > 0 else found


def address_of(operand: Address | Register) -> Address:
    place = Address(operand, 0) if isinstance(operand, Register) else operand
    if not isinstance(place, Address):
        raise AsmError(f"{operand!r} is not an address: expected a register plus or minus a number, such as r10 - 8")
    return place


def width(size: int, largest: int = Size.DW) -> Size:
    if size not in (B, H, W, DW) or (size == DW and largest != DW):
        raise AsmError(f"{size!r} is not a width: expected B, H, W{' or DW' if largest == DW else ''}")
    return Size(size)
