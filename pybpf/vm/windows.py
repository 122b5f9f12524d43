"""Access through any pointer, for translated code: one function for each size, bound to a machine's memory.

They check nothing that Python does not check: what is not there raises, and the interpreter does it again.
"""

from __future__ import annotations

import struct

from .memory import MASK32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .memory import Memory

_STRUCTS = {size: struct.Struct(f"<{letter}") for size, letter in ((2, "H"), (4, "I"), (8, "Q"))}


def accessors(mem: Memory) -> dict[str, Callable[..., int | None]]:
    """`LD4(address)`, `ST4(address, value)`, and `ADD4(address, value)` and its like, by name."""
    return {name: function for size in (1, 2, 4, 8) for name, function in _sized(mem, size).items()}


def raised_in(trace: TracebackType) -> bool:
    """Whether a function of this module is what raised."""
    return trace.tb_frame.f_globals is globals()


def _sized(mem: Memory, size: int) -> dict[str, Callable[..., int | None]]:
    readable, writable = mem.readable, mem.writable
    if size == 1:

        def load_byte(at: int) -> int:
            return readable[at >> 32][at & MASK32]

        def store_byte(at: int, value: int) -> None:
            writable[at >> 32][at & MASK32] = value

        return {"LD1": load_byte, "ST1": store_byte}

    unpack, pack = _STRUCTS[size].unpack_from, _STRUCTS[size].pack_into
    mask = (1 << 8 * size) - 1

    def load(at: int) -> int:
        return unpack(readable[at >> 32], at & MASK32)[0]  # type: ignore[no-any-return]

    def store(at: int, value: int) -> None:
        pack(writable[at >> 32], at & MASK32, value)

    def add(at: int, value: int) -> None:
        data, offset = writable[at >> 32], at & MASK32
        pack(data, offset, unpack(data, offset)[0] + value & mask)

    def or_(at: int, value: int) -> None:
        data, offset = writable[at >> 32], at & MASK32
        pack(data, offset, unpack(data, offset)[0] | value & mask)

    def and_(at: int, value: int) -> None:
        data, offset = writable[at >> 32], at & MASK32
        pack(data, offset, unpack(data, offset)[0] & value)

    def xor(at: int, value: int) -> None:
        data, offset = writable[at >> 32], at & MASK32
        pack(data, offset, unpack(data, offset)[0] ^ value & mask)

    functions: dict[str, Callable[..., int | None]]
    functions = {"LD": load, "ST": store, "ADD": add, "OR": or_, "AND": and_, "XOR": xor}
    return {f"{name}{size}": function for name, function in functions.items()}
