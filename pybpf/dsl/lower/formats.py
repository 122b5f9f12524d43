"""Format specifications of Python's as conversions of the kernel's (`bpf_bprintf_prepare` reads them)."""

from __future__ import annotations

from ..ssa.build import S64_MAX

KNOWN = "numbers have d, x, X, #x, c, p, with <, >, +, 0 and a width; texts a width; pI4, pI6 and pM are addresses"
ADDRESSES = {"pI4": 4, "pi4": 4, "pI6": 16, "pi6": 16}
"""Addresses in network order behind a pointer, and their sizes (Linux 5.13)."""
POINTERS = frozenset(("ps", "pS", "pB", "pK", "px"))
"""Kernel addresses: as the name of what is there, hidden, or as they are."""


def split(spec: str) -> tuple[str, str, str, str, str, str]:
    """Alignment, sign, "#", "0", width and kind."""
    found = []
    for choice in ("<>", "+ ", "#", "0"):
        one = spec[:1] if spec[:1] in tuple(choice) else ""
        spec = spec[len(one) :]
        found.append(one)
    kind = spec.lstrip("0123456789")
    align, sign, alt, zero = found
    return align, sign, alt, zero, spec[: len(spec) - len(kind)], kind


def of_number(spec: str, lo: int, hi: int) -> str | None:
    """The conversion of a number between `lo` and `hi`; None for what the kernel cannot write as Python does."""
    align, sign, alt, zero, width, kind = split(spec)
    if spec == "p":
        return "0x%llx"
    if spec in POINTERS:
        return f"%{spec}"
    if align == "<" and zero:
        return None
    flags = f"{'-' if align == '<' else ''}{sign}{zero}{width}"
    if kind in ("", "d") and not alt and (not sign or hi <= S64_MAX):
        return f"%{flags}ll{'d' if sign or lo < 0 else 'u'}"
    if kind in ("x", "X") and not sign and not (alt and flags):
        return f"0{kind}%ll{kind}" if alt else f"%{flags}ll{kind}"
    return "%c" if spec == "c" else None


def of_text(spec: str) -> str | None:
    """The conversion of a text, which stands to the left as in Python."""
    align, sign, alt, zero, width, kind = split(spec)
    if sign or alt or zero or kind not in ("", "s"):
        return None
    return f"%{'-' if width and align != '>' else ''}{width}s"
