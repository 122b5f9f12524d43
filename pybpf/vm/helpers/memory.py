"""Helpers that copy memory: the probe_read families, strings, numbers in text, formatted output."""

from __future__ import annotations

from errno import EFAULT, EINVAL, EPERM, ERANGE

from ...uapi.prog import ProgType
from ..memory import CTX, MASK32, MemoryFault
from .printf import bad_format, sprintf
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_SPACES = b" \t\n\v\f\r\xa0"  # as the kernel's own table has it
_HEX = b"0123456789abcdefABCDEF"


def _misplaced(run: Run, source: int, user: bool | None) -> int:
    """0, or the error for an address of the wrong kind: ERANGE where the kernel's own memory was wanted
    (`copy_from_kernel_nofault_allowed`).
    """
    if user is None or run.mem.is_user(source) == user:
        return 0
    return -EFAULT if user else -ERANGE


_REGISTERS = frozenset((ProgType.KPROBE, ProgType.RAW_TRACEPOINT, ProgType.TRACEPOINT))
"""Programs whose context stands in the kernel's memory as they see it."""


def _context(run: Run, source: int, size: int) -> bytes:
    """Bytes of the program's own context, as a program of USDT reads a register of which it learns the number; b"" elsewhere."""
    at = source & MASK32
    own = source >> 32 == CTX and run.image.spec.prog_type in _REGISTERS and at + size <= len(run.ctx.data)
    return bytes(run.ctx.data[at : at + size]) if own else b""


def _probe(run: Run, dst: int, size: int, source: int, user: bool | None) -> int:
    """Copy, or fill with zeros and answer with an error when the source is not mapped or of the wrong kind."""
    size &= 0xFFFFFFFF
    refused = _misplaced(run, source, user)
    if not refused:
        if not size:
            return 0
        try:
            raw = _context(run, source, size) or run.mem.read(source, size)
        except MemoryFault:
            raw, refused = bytes(size), -EFAULT
        run.mem.write(dst, raw)
    elif size:
        run.mem.write(dst, bytes(size))
    return refused


def _probe_str(run: Run, dst: int, size: int, source: int, user: bool | None) -> int:
    """Copy up to a NUL; the result counts it.  The kernel leaves the rest of the buffer alone."""
    size &= 0xFFFFFFFF
    if not size:
        return 0
    refused = _misplaced(run, source, user)
    if not refused:
        try:
            text = run.mem.string(source, size - 1)
            run.mem.read(source, 1)
        except MemoryFault:
            refused = -EFAULT
    if refused:
        run.mem.write(dst, bytes(size))
        return refused
    run.mem.write(dst, text + b"\0")
    return len(text) + 1


@model
def probe_read(run: Run, dst: int, size: int, unsafe_ptr: int) -> int:
    return _probe(run, dst, size, unsafe_ptr, None)


@model
def probe_read_user(run: Run, dst: int, size: int, unsafe_ptr: int) -> int:
    return _probe(run, dst, size, unsafe_ptr, True)


@model
def probe_read_kernel(run: Run, dst: int, size: int, unsafe_ptr: int) -> int:
    return _probe(run, dst, size, unsafe_ptr, False)


@model
def probe_read_str(run: Run, dst: int, size: int, unsafe_ptr: int) -> int:
    return _probe_str(run, dst, size, unsafe_ptr, None)


@model
def probe_read_user_str(run: Run, dst: int, size: int, unsafe_ptr: int) -> int:
    return _probe_str(run, dst, size, unsafe_ptr, True)


@model
def probe_read_kernel_str(run: Run, dst: int, size: int, unsafe_ptr: int) -> int:
    return _probe_str(run, dst, size, unsafe_ptr, False)


@model
def copy_from_user(run: Run, dst: int, size: int, user_ptr: int) -> int:
    return _probe(run, dst, size, user_ptr, True)


@model
def copy_from_user_task(run: Run, dst: int, size: int, user_ptr: int, tsk: int, flags: int) -> int:
    return -EINVAL if flags else _probe(run, dst, size, user_ptr, True)


@model
def probe_write_user(run: Run, dst: int, src: int, len: int) -> int:
    raw = run.mem.read(src, len & 0xFFFFFFFF)
    if not run.mem.is_user(dst):
        return -EPERM
    try:
        run.mem.write(dst, raw)
    except MemoryFault:
        return -EFAULT
    return 0


@model
def trace_printk(run: Run, fmt: int, fmt_size: int, *args: int) -> int:
    text = run.mem.read(fmt, fmt_size & 0xFFFFFFFF)
    if not text or text[-1]:
        return -EINVAL
    given = list(args[:3])
    if bad_format(text[:-1], 3):
        return -EINVAL
    line = sprintf(run, text[:-1], given)
    run.printk.append(line.decode(errors="replace").rstrip("\n"))
    return len(line)


@model
def trace_vprintk(run: Run, fmt: int, fmt_size: int, data: int, data_len: int) -> int:
    text = run.mem.read(fmt, fmt_size & 0xFFFFFFFF)
    if not text or text[-1] or data_len % 8 or data_len > 96 or bad_format(text[:-1], data_len // 8):
        return -EINVAL
    line = sprintf(run, text[:-1], _words(run, data, data_len))
    run.printk.append(line.decode(errors="replace").rstrip("\n"))
    return len(line)


@model
def snprintf(run: Run, str: int, str_size: int, fmt: int, data: int, data_len: int) -> int:
    str_size &= 0xFFFFFFFF
    if data_len % 8 or data_len > 96:
        return -EINVAL
    text = run.mem.string(fmt)
    if bad_format(text, data_len // 8):
        return -EINVAL
    line = sprintf(run, text, _words(run, data, data_len))
    if str_size:
        run.mem.write(str, line[: str_size - 1] + b"\0")
    return len(line) + 1


@model
def seq_printf(run: Run, m: int, fmt: int, fmt_size: int, data: int, data_len: int) -> int:
    text = run.mem.read(fmt, fmt_size & 0xFFFFFFFF)
    if not text or text[-1] or data_len % 8 or data_len > 96 or bad_format(text[:-1], data_len // 8):
        return -EINVAL
    run.seq.extend(sprintf(run, text[:-1], _words(run, data, data_len)))
    return 0


@model
def seq_write(run: Run, m: int, data: int, len: int) -> int:
    run.seq.extend(run.mem.read(data, len & 0xFFFFFFFF))
    return 0


def _words(run: Run, address: int, size: int) -> list[int]:
    raw = run.mem.read(address, size) if size else b""
    return [int.from_bytes(raw[i : i + 8], "little") for i in range(0, size, 8)]


@model
def strncmp(run: Run, s1: int, s1_sz: int, s2: int) -> int:
    s1_sz &= 0xFFFFFFFF
    a, b = run.mem.string(s1, s1_sz), run.mem.string(s2, s1_sz)
    a, b = a.ljust(s1_sz, b"\0"), b.ljust(s1_sz, b"\0")
    return (a > b) - (a < b)


def _digits(run: Run, buf: int, buf_len: int, flags: int) -> tuple[int, int, bool] | int:
    """(characters used, magnitude, negative) of the number that a buffer begins with, or the error."""
    base = flags & 0x1F
    if base not in (0, 8, 10, 16) or flags & ~0x1F or not buf_len:
        return -EINVAL
    text = run.mem.read(buf, buf_len & 0xFFFFFFFF)
    at = 0
    while at < len(text) and text[at] in _SPACES:
        at += 1
    negative = text[at : at + 1] == b"-"
    at += negative
    rest = text[at : at + 63]
    lead = 0
    if base == 0:
        base = 8 if rest[:1] == b"0" else 10
        if rest[:2].lower() == b"0x" and rest[2:3].isalnum() and rest[2:3] in _HEX:
            base = 16
    if base == 16 and rest[:2].lower() == b"0x":
        lead = 2
    number, used = 0, 0
    for char in rest[lead:]:
        digit = int(chr(char), 36) if chr(char).isalnum() and char < 128 else 99
        if digit >= base:
            break
        number, used = number * base + digit, used + 1
    if not used:
        return -EINVAL
    return at + lead + used, number, negative


@model
def strtol(run: Run, buf: int, buf_len: int, flags: int, res: int) -> int:
    run.mem.store(res, 8, 0)
    parsed = _digits(run, buf, buf_len, flags)
    if isinstance(parsed, int):
        return parsed
    used, number, negative = parsed
    if number > (1 << 64) - 1 or number > (1 << 63) - (not negative):
        return -ERANGE
    run.mem.store(res, 8, -number if negative else number)
    return used


@model
def strtoul(run: Run, buf: int, buf_len: int, flags: int, res: int) -> int:
    run.mem.store(res, 8, 0)
    parsed = _digits(run, buf, buf_len, flags)
    if isinstance(parsed, int):
        return parsed
    used, number, negative = parsed
    if number > (1 << 64) - 1:
        return -ERANGE
    if negative:
        return -EINVAL
    run.mem.store(res, 8, number)
    return used
