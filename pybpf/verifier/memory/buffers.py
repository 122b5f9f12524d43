"""Memory that a function is given: all of it lies in what the pointer points to, and may be read, or written."""

from __future__ import annotations

from ..reject import Reject
from ..state import State
from ..values import (
    BTF_ID,
    BUF,
    CTX,
    KIND,
    MAP_KEY,
    MAP_VALUE,
    MEM,
    PACKETS,
    RDONLY,
    STACK,
    type_name,
)
from . import stack
from .access import access
from .bounds import check_map_access, check_map_region, check_packet, check_region, fixed_buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run


def check_memory(
    run: Run, state: State, regno: int, size: int, *, write: bool, zero_ok: bool, raw: bool = False
) -> bool:
    """The memory behind a register holds `size` bytes that the function may read, or write.

    True when the function fills memory that need not be initialised, which the caller then marks.
    """
    reg = state.frames[-1].regs[regno]
    kind = reg.type & KIND
    if kind in PACKETS:
        check_packet(reg, regno, reg.off, size, zero_ok)
    elif kind == MAP_KEY:
        if write:
            raise Reject("type", f"R{regno} cannot write into {type_name(reg.type)}", regs=(regno,))
        check_region(reg, regno, reg.off, size, reg.data.key_size)
    elif kind == MAP_VALUE:
        check_map_access(reg.data, reg.off, size, write)
        check_map_region(reg, regno, reg.off, size, zero_ok, False)
    elif kind == MEM:
        if reg.type & RDONLY and write:
            raise Reject("type", f"R{regno} cannot write into {type_name(reg.type)}", regs=(regno,))
        check_region(reg, regno, reg.off, size, reg.data, zero_ok)
    elif kind == BUF:
        fixed_buffer("rdonly" if reg.type & RDONLY else "rdwr", reg, regno, reg.off)
    elif kind == STACK:
        return stack.check_range(run, state, reg, regno, reg.off, size, write=write, zero_ok=zero_ok, raw=raw)
    elif kind == BTF_ID:
        from . import btfwalk

        btfwalk.access(run, state, reg, regno, reg.off, size, False)
    elif kind == CTX and not run.setting.program_rules.context.name:
        if size or not zero_ok:
            access(run, state, regno, size - 1, 1, write, None, -1)
    elif not (zero_ok and size == 0 and reg.null):
        text = f"R{regno} type={type_name(reg.type)} expected=fp"
        raise Reject("argument", text, hint="memory is expected: NULL is allowed with size 0 only", regs=(regno,))
    return False
