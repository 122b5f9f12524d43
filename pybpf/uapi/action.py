"""Constants of the kernel: XdpAction, TcAction, TcxAction, ...

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1, Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

from enum import IntEnum


class XdpAction(IntEnum):
    """What an XDP program returns."""

    ABORTED = 0
    DROP = 1
    PASS = 2
    TX = 3
    REDIRECT = 4


class TcAction(IntEnum):
    """What a tc program (cls with direct-action, act) returns."""

    UNSPEC = -1
    OK = 0
    RECLASSIFY = 1
    SHOT = 2
    PIPE = 3
    STOLEN = 4
    QUEUED = 5
    REPEAT = 6
    REDIRECT = 7
    TRAP = 8


class TcxAction(IntEnum):
    """What a tcx or netkit program returns."""

    NEXT = -1
    PASS = 0
    DROP = 2
    REDIRECT = 7


class SkAction(IntEnum):
    """What socket map, sk_msg, sk_reuseport and sk_lookup programs return."""

    DROP = 0
    PASS = 1


class RetCode(IntEnum):
    """What light-weight tunnel and flow dissector programs return."""

    OK = 0
    DROP = 2
    REDIRECT = 7
    LWT_REROUTE = 128
    FLOW_DISSECTOR_CONTINUE = 129


class NfVerdict(IntEnum):
    """What a netfilter program returns (0 and 1 only are accepted)."""

    DROP = 0
    ACCEPT = 1
    STOLEN = 2
    QUEUE = 3
    REPEAT = 4
    STOP = 5
