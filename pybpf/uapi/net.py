"""Constants of the kernel: XdpFlags, XdpAttached, IflaXdp, ...

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1, Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class XdpFlags(IntFlag):
    """Flags of attaching XDP by netlink or link."""

    UPDATE_IF_NOEXIST = 1
    SKB_MODE = 2
    DRV_MODE = 4
    HW_MODE = 8
    REPLACE = 0x10


class XdpAttached(IntEnum):
    """How XDP is attached to an interface (IFLA_XDP_ATTACHED)."""

    NONE = 0
    DRV = 1
    SKB = 2
    HW = 3
    MULTI = 4


class IflaXdp(IntEnum):
    """Netlink attributes inside IFLA_XDP."""

    UNSPEC = 0
    FD = 1
    ATTACHED = 2
    FLAGS = 3
    PROG_ID = 4
    DRV_PROG_ID = 5
    SKB_PROG_ID = 6
    HW_PROG_ID = 7
    EXPECTED_FD = 8


class TcaBpf(IntEnum):
    """Netlink attributes of cls_bpf."""

    UNSPEC = 0
    ACT = 1
    POLICE = 2
    CLASSID = 3
    OPS_LEN = 4
    OPS = 5
    FD = 6
    NAME = 7
    FLAGS = 8
    FLAGS_GEN = 9
    TAG = 10
    ID = 11
