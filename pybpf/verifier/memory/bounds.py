"""Where an access may lie: alignment, and the bounds of packets, map values and other memory of known size."""

from __future__ import annotations

from ...btf.fields import KPTRS, Special
from ..maps import MAX_OFFSET, Map
from ..numbers import tnum
from ..numbers.num import S64_MIN, s64
from ..reject import Reject
from ..values import (
    ARENA,
    CTX,
    FLOW_KEYS,
    KIND,
    MAP_KEY,
    MAP_VALUE,
    NAMES,
    PACKETS,
    PKT,
    PKT_META,
    SOCK_COMMON,
    SOCKET,
    STACK,
    Reg,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run

_ALIGNED_AS = {
    FLOW_KEYS: "flow keys ",
    MAP_KEY: "key ",
    MAP_VALUE: "value ",
    CTX: "context ",
    STACK: "stack ",
    SOCKET: "sock ",
    SOCK_COMMON: "sock_common ",
}
_AREA = {
    MAP_VALUE: "bounds-map",
    MAP_KEY: "bounds-map",
    STACK: "bounds-stack",
    PKT: "bounds-packet",
    PKT_META: "bounds-packet",
    CTX: "ctx-access",
}


def area(type: int) -> str:
    """The category of an access outside of what a pointer of this type points at."""
    return _AREA.get(type & KIND, "bounds-memory")


def negative(regno: int) -> Reject:
    return Reject(
        "bounds-memory",
        f"R{regno} min value is negative, either use unsigned index or do a if (index >=0) check.",
        hint="make the index unsigned, or check that it is not negative",
        regs=(regno,),
    )


def check_alignment(run: Run, reg: Reg, off: int, size: int, strict: bool) -> None:
    """Stack accesses are aligned; others too when the program was loaded so."""
    strict = strict or run.setting.strict_alignment
    kind = reg.type & KIND
    if size == 1 or not (strict or kind == STACK) or kind == ARENA:
        return
    total = reg.off + off
    what = _ALIGNED_AS.get(kind, "")
    if kind in PACKETS:
        total += 2  # the network header, behind an Ethernet header, is what is aligned
        what = "packet "
    if not tnum.aligned(tnum.add(reg.num.tnum, (total & tnum.U64, 0)), size):
        shown = tnum.text(reg.num.tnum)
        raise Reject(
            "alignment",
            f"misaligned {what}access off {shown}+{reg.off}+{off} size {size}",
            hint=f"an access of {size} bytes needs an address that is a multiple of {size}",
        )


def check_packet(reg: Reg, regno: int, off: int, size: int, zero_ok: bool = False) -> None:
    """The access lies within what a comparison with the packet's end has shown to be there."""
    if reg.num.smin < 0:
        error = negative(regno)
        error.category = "bounds-packet"
        raise error
    reach = reg.data
    if reach < 0 or off < 0 or off + size > reach or not (size or zero_ok):
        raise Reject(
            "bounds-packet",
            f"R{regno} offset is outside of the packet: off={off} size={size}, checked up to {max(reach, 0)}",
            hint=f"compare the pointer plus {max(off + size, 1)} with data_end first, "
            "and access on the side where it is not greater",
            regs=(regno,),
        )


def check_region(reg: Reg, regno: int, off: int, size: int, length: int, zero_ok: bool = False) -> None:
    """The access lies within `length` bytes, wherever in its bounds the offset is."""
    smin = reg.num[4]
    category = area(reg.type)
    if smin < 0 and (smin == S64_MIN or not -(1 << 31) <= off + smin < 1 << 31 or smin + off < 0):
        error = negative(regno)
        error.category = category
        raise error
    fits = size > 0 or (size == 0 and zero_ok)
    name = NAMES[reg.type & KIND]
    low = smin + off
    if not fits or low < 0 or low + size > length:
        raise Reject(
            category,
            f"R{regno} min value is outside of the allowed memory range: {name} has {length} bytes, off={low} size={size}",
            hint=f"accesses must stay within the {length} bytes",
            regs=(regno,),
        )
    umax = reg.num[3]
    if umax >= MAX_OFFSET:
        raise Reject(
            category,
            f"R{regno} unbounded memory access, make sure to bounds check any such access",
            hint="bound the index before it is added: `index &= mask`, or `if index < size`",
            regs=(regno,),
        )
    high = umax + off
    if high < 0 or high + size > length:
        raise Reject(
            category,
            f"R{regno} max value is outside of the allowed memory range: {name} has {length} bytes, off={high} size={size}",
            hint=f"the index may be as large as {umax}: bound it so that the access stays within the {length} bytes",
            regs=(regno,),
        )


def check_map_region(reg: Reg, regno: int, off: int, size: int, zero_ok: bool, direct: bool) -> None:
    """The access lies within a map's value and does not touch its special fields."""
    target: Map = reg.data
    check_region(reg, regno, off, size, target.value_size, zero_ok)
    low, high = reg.num.smin + off, reg.num.umax + off + size
    for field in target.specials:
        if low < field.offset + field.size and field.offset < high:
            _check_special(field, reg, off, size, direct)


def _check_special(field: Special, reg: Reg, off: int, size: int, direct: bool) -> None:
    if field.kind not in KPTRS:
        name = f"bpf_{field.kind}"
        raise Reject("type", f"{name} cannot be accessed directly by load/store", hint="use the functions made for it")
    if not direct:
        raise Reject("argument", "kptr cannot be accessed indirectly by helper")
    if not reg.fixed:
        raise Reject("type", "kptr access cannot have variable offset")
    at = off + s64(reg.num.value)
    if at != field.offset:
        raise Reject("type", f"kptr access misaligned expected={field.offset} off={at}")
    if size != 8:
        raise Reject("type", "kptr access size must be BPF_DW")


def check_map_access(target: Map, off: int, size: int, write: bool) -> None:
    if write and not target.program_writes:
        text = f"write into map forbidden, value_size={target.value_size} off={off} size={size}"
        raise Reject("type", text, hint="the map was created read-only for programs")
    if not write and not target.program_reads:
        text = f"read from map forbidden, value_size={target.value_size} off={off} size={size}"
        raise Reject("type", text, hint="the map was created write-only for programs")


def fixed_buffer(name: str, reg: Reg, regno: int, off: int) -> None:
    if off < 0:
        raise Reject("bounds-memory", f"R{regno} invalid {name} buffer access: off={off}", regs=(regno,))
    if reg.num[1] or reg.num[0]:
        text = f"R{regno} invalid variable buffer offset: off={off}, var_off={tnum.text(reg.num.tnum)}"
        raise Reject("bounds-memory", text, regs=(regno,))
