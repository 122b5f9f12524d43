"""`pcap_filter`: the expressions of tcpdump, compiled by libpcap, the library that defines what they mean."""

from __future__ import annotations

import ctypes
import functools
from enum import IntEnum

from ..errors import FilterError, NotSupportedError
from ..source import Source
from .filter import Filter


class DLT(IntEnum):
    """Link types: what a packet begins with (the values of libpcap on Linux).  libpcap knows more, by name or number."""

    NULL = 0
    EN10MB = 1
    PPP = 9
    RAW = 12
    IEEE802_11 = 105
    LOOP = 108
    LINUX_SLL = 113
    IEEE802_11_RADIO = 127
    IPV4 = 228
    IPV6 = 229
    NETLINK = 253
    LINUX_SLL2 = 276


_LIBRARIES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so", "libpcap.A.dylib")
_NETMASK_UNKNOWN = 0xFFFFFFFF


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint), ("insns", ctypes.c_void_p))


@functools.cache
def _libpcap() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            lib = ctypes.CDLL(name)
        except OSError:
            continue
        pointer, text, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        for name, result, arguments in (
            ("pcap_open_dead", pointer, [integer, integer]),
            ("pcap_create", pointer, [text, text]),
            ("pcap_set_snaplen", integer, [pointer, integer]),
            ("pcap_activate", integer, [pointer]),
            ("pcap_compile", integer, [pointer, ctypes.POINTER(_Program), text, integer, ctypes.c_uint32]),
            ("pcap_freecode", None, [ctypes.POINTER(_Program)]),
            ("pcap_geterr", text, [pointer]),
            ("pcap_statustostr", text, [integer]),
            ("pcap_datalink_name_to_val", integer, [text]),
            ("pcap_close", None, [pointer]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        return lib
    raise NotSupportedError(
        "compiling pcap expressions", hint="install libpcap (Debian: libpcap0.8, Fedora: libpcap, Alpine: libpcap)"
    )


def pcap_filter(
    expression: str,
    *,
    linktype: int | str = DLT.EN10MB,
    snaplen: int = 262144,
    optimize: bool = True,
    netmask: int = _NETMASK_UNKNOWN,
    interface: str = "",
) -> Filter:
    """The filter that tcpdump would use for `expression`, for example "ip and tcp port 8080".

    `linktype` is a `DLT` or a name that libpcap knows ("RAW"), `snaplen` what a match returns (bytes to keep), `netmask`
    the network's, for "ip broadcast".  With `interface` the filter is made for packets received there: the link type
    is the interface's, and VLAN tags are read where the kernel keeps them, beside the packet (needs CAP_NET_RAW).
    FilterError with libpcap's own words when the expression is wrong, NotSupportedError when libpcap is not installed.
    """
    lib = _libpcap()
    if not isinstance(expression, str):
        raise FilterError(f"an expression is a text, and not {expression!r}")
    source = Source("<expression>", 1, 0, expression)
    if "\0" in expression:
        raise FilterError("an expression cannot hold a NUL character", source)
    handle = _live(lib, interface, snaplen) if interface else _dead(lib, linktype, snaplen)
    program = _Program()
    try:
        if lib.pcap_compile(handle, ctypes.byref(program), expression.encode(), int(optimize), netmask) != 0:
            raise FilterError(_words(lib.pcap_geterr(handle)), source)
        try:
            return Filter.from_bytes(ctypes.string_at(program.insns, 8 * program.len))
        finally:
            lib.pcap_freecode(ctypes.byref(program))
    finally:
        lib.pcap_close(handle)


def _dead(lib: ctypes.CDLL, linktype: int | str, snaplen: int) -> int:
    """A handle that only compiles, for a link type."""
    number = lib.pcap_datalink_name_to_val(linktype.encode()) if isinstance(linktype, str) else int(linktype)
    if number < 0:
        raise FilterError(f"libpcap knows no link type {linktype!r}; {', '.join(t.name for t in DLT)} are some")
    if not 0 <= snaplen < 1 << 31:
        raise FilterError(f"snaplen {snaplen}: expected 0..{(1 << 31) - 1}")
    handle: int | None = lib.pcap_open_dead(number, snaplen)
    if not handle:
        raise FilterError(f"libpcap does not take link type {linktype}")
    return handle


def _live(lib: ctypes.CDLL, interface: str, snaplen: int) -> int:
    """A handle that is open on an interface: only such a one knows how its packets arrive."""
    message = ctypes.create_string_buffer(256)  # PCAP_ERRBUF_SIZE
    handle: int | None = lib.pcap_create(interface.encode(), message)
    if not handle:
        raise FilterError(f"interface {interface!r}: {_words(message.value)}")
    lib.pcap_set_snaplen(handle, snaplen)
    status = lib.pcap_activate(handle)
    if status < 0:  # positive: a warning
        words = _words(lib.pcap_geterr(handle)) or _words(lib.pcap_statustostr(status))
        lib.pcap_close(handle)
        raise FilterError(f"interface {interface!r}: {words}")
    return handle


def _words(text: bytes | None) -> str:
    return (text or b"").decode(errors="replace")
