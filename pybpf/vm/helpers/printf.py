"""The kernel's format strings, as far as bpf_trace_printk and bpf_snprintf take them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from ..memory import MemoryFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_CONVERSION = re.compile(
    rb"%(?:(?P<percent>%)|(?P<flags>[-+ 0]*)(?P<width>\d*)"
    rb"(?:(?P<pointer>p(?:[iI][46]|[ku]s|[BKxsS]|(?![A-Za-z0-9])))|(?P<length>ll?)?(?P<kind>[diuxX])|(?P<text>[cs])))"
)
_BITS = {b"ll": 64, b"l": 64, b"": 32}


def bad_format(text: bytes, args: int) -> bool:
    """Whether the kernel refuses this format with EINVAL: a conversion that it does not know, a control character, or
    more conversions than arguments."""
    wanted = sum(match["percent"] is None for match in _CONVERSION.finditer(text))
    left = _CONVERSION.sub(b"", text)
    return wanted > args or b"%" in left or any((c < 32 and c not in b"\t\n\r\v\f") or c == 127 for c in left)


def sprintf(run: Run, text: bytes, args: list[int]) -> bytes:
    """`text` with its conversions filled in from `args`; missing ones are 0."""
    rest = iter(args)

    def one(match: re.Match[bytes]) -> bytes:
        if match["percent"]:
            return b"%"
        value = next(rest, 0)
        if match["pointer"]:
            out = _pointer(run, match["pointer"], value)
        elif match["text"] == b"s":
            out = _string(run, value)
        elif match["text"] == b"c":
            out = bytes((value & 0xFF,))
        else:
            out = _number(match, value)
        width = int(match["width"] or 0)
        if b"-" in match["flags"]:
            return out.ljust(width)
        if b"0" in match["flags"] and match["kind"]:
            sign = out[:1] if out[:1] in (b"-", b"+", b" ") else b""
            return sign + out[len(sign) :].rjust(width - len(sign), b"0")
        return out.rjust(width)

    return _CONVERSION.sub(one, text)


def _number(match: re.Match[bytes], value: int) -> bytes:
    bits = _BITS[match["length"] or b""]
    value &= (1 << bits) - 1
    kind = match["kind"]
    if kind in b"di":
        value -= (value >> (bits - 1)) << bits
        sign = b"" if value < 0 else b"+" if b"+" in match["flags"] else b" " if b" " in match["flags"] else b""
        return sign + str(value).encode()
    if kind in b"xX":
        out = format(value, "x")
        return (out.upper() if kind == b"X" else out).encode()
    return str(value).encode()


def _pointer(run: Run, kind: bytes, value: int) -> bytes:
    if kind in (b"pks", b"pus"):
        return _string(run, value) if run.mem.is_user(value) == (kind == b"pus") else b""
    if kind in (b"pB", b"ps", b"pS"):  # no symbol is known
        return b"0x%x" % value
    if kind == b"pi4":
        return b".".join(b"%03d" % byte for byte in _bytes(run, value, 4))
    if kind == b"pI4":
        return str(IPv4Address(_bytes(run, value, 4))).encode()
    if kind == b"pI6":
        return str(IPv6Address(_bytes(run, value, 16)).exploded).encode()
    if kind == b"pi6":
        return _bytes(run, value, 16).hex().encode()
    return b"%016x" % value


def _bytes(run: Run, address: int, size: int) -> bytes:
    """What lies there; zeros where nothing does, as `bpf_bprintf_prepare` has it."""
    try:
        return run.mem.read(address, size)
    except MemoryFault:
        return bytes(size)


def _string(run: Run, address: int) -> bytes:
    try:
        return run.mem.string(address, 4096)
    except MemoryFault:
        return b""
