"""The kernel's format strings, as far as bpf_trace_printk and bpf_snprintf take them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from ..memory import MemoryFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_CONVERSION = re.compile(
    rb"%(?P<flags>[-+ #0]*)(?P<width>\d*)(?P<precision>\.\d*)?"
    rb"(?:(?P<percent>%)|(?P<pointer>p(?:[iI][46]|k[s]?|u[s]?|[BKxsSF])?)|(?P<length>ll|l|h|hh)?(?P<kind>[diuxXcs]))"
)
_BITS = {b"ll": 64, b"l": 64, b"": 32, b"h": 32, b"hh": 32}


def bad_format(text: bytes) -> bool:
    """Whether the kernel refuses this format: a conversion that it does not know, or bytes that are no ASCII."""
    return b"%" in _CONVERSION.sub(b"", text) or any(
        c > 126 or (c < 32 and c not in b"\t\n\r\v\f\a\b\x1b") for c in text
    )


def sprintf(run: Run, text: bytes, args: list[int]) -> bytes:
    """`text` with its conversions filled in from `args`; missing ones are 0."""
    rest = iter(args)

    def one(match: re.Match[bytes]) -> bytes:
        if match["percent"]:
            return b"%"
        value = next(rest, 0)
        if match["pointer"]:
            out = _pointer(run, match["pointer"], value)
        elif match["kind"] == b"s":
            out = _string(run, value, None)
        elif match["kind"] == b"c":
            out = bytes((value & 0xFF,))
        else:
            out = _number(match, value)
        width = int(match["width"] or 0)
        if b"-" in match["flags"]:
            return out.ljust(width)
        if b"0" in match["flags"] and match["kind"] in (b"d", b"i", b"u", b"x", b"X"):
            sign = out[:1] if out[:1] in (b"-", b"+") else b""
            return sign + out[len(sign) :].rjust(width - len(sign), b"0")
        return out.rjust(width)

    return _CONVERSION.sub(one, text)


def _number(match: re.Match[bytes], value: int) -> bytes:
    bits = _BITS[match["length"] or b""]
    value &= (1 << bits) - 1
    kind = match["kind"]
    if kind in b"di":
        value -= (value >> (bits - 1)) << bits
        return (b"+" if b"+" in match["flags"] and value >= 0 else b"") + str(value).encode()
    if kind in b"xX":
        prefix = "0x" if b"#" in match["flags"] else ""
        out = prefix + format(value, "x")
        return (out.upper() if kind == b"X" else out).encode()
    return str(value).encode()


def _pointer(run: Run, kind: bytes, value: int) -> bytes:
    if kind in (b"pks", b"pus"):
        return _string(run, value, kind == b"pus")
    if kind in (b"pi4", b"pI4"):
        return str(IPv4Address(run.mem.read(value, 4))).encode()
    if kind == b"pI6":
        return str(IPv6Address(run.mem.read(value, 16)).exploded).encode()
    if kind == b"pi6":
        return run.mem.read(value, 16).hex().encode()
    return b"%016x" % value


def _string(run: Run, address: int, user: bool | None) -> bytes:
    try:
        return run.mem.string(address, 4096)
    except MemoryFault:
        return b"" if user is None else b"(fault)"
