"""`pcap_filter`: the expressions of tcpdump, compiled by libpcap, the library that defines what they mean."""

from __future__ import annotations

import ctypes
import functools
from enum import IntEnum

from ..errors import FilterError, NotSupportedError
from ..source import Source
from .filter import Filter


class DLT(IntEnum):
    """Link types: what a packet begins with (the values of libpcap on Linux)."""

    NULL = 0
    EN10MB = 1
    RAW = 12
    IEEE802_11 = 105
    LINUX_SLL = 113
    IEEE802_11_RADIO = 127
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
        lib.pcap_open_dead.restype = ctypes.c_void_p
        lib.pcap_geterr.restype = ctypes.c_char_p
        lib.pcap_geterr.argtypes = lib.pcap_close.argtypes = [ctypes.c_void_p]
        lib.pcap_compile.argtypes = [
            ctypes.c_void_p,
            ctypes.POINTER(_Program),
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_uint32,
        ]
        return lib
    raise NotSupportedError(
        "compiling pcap expressions", hint="install libpcap (Debian: libpcap0.8, Fedora: libpcap, Alpine: libpcap)"
    )


def pcap_filter(
    expression: str,
    *,
    linktype: int = DLT.EN10MB,
    snaplen: int = 262144,
    optimize: bool = True,
    netmask: int = _NETMASK_UNKNOWN,
) -> Filter:
    """The filter that tcpdump would use for `expression`, for example "ip and tcp port 8080".

    `linktype` is a `DLT`, `snaplen` what a match returns (bytes to keep), `netmask` the network's, for "ip broadcast".
    FilterError with libpcap's own words when the expression is wrong, NotSupportedError when libpcap is not installed.
    """
    lib = _libpcap()
    if "\0" in expression:
        raise FilterError("an expression cannot hold a NUL character", Source("<expression>", 1, 0, expression))
    handle = lib.pcap_open_dead(int(linktype), snaplen)
    if not handle:
        raise FilterError(f"libpcap does not take link type {linktype}")
    program = _Program()
    try:
        if lib.pcap_compile(handle, ctypes.byref(program), expression.encode(), int(optimize), netmask) != 0:
            message = (lib.pcap_geterr(handle) or b"").decode(errors="replace")
            raise FilterError(message, Source("<expression>", 1, 0, expression))
        try:
            return Filter.from_bytes(ctypes.string_at(program.insns, 8 * program.len))
        finally:
            lib.pcap_freecode(ctypes.byref(program))
    finally:
        lib.pcap_close(handle)
