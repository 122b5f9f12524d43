"""Constants of the kernel: LinkType, PerfEventType, KprobeMultiFlags, ...

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1, Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class LinkType(IntEnum):
    """Link types."""

    UNSPEC = 0
    RAW_TRACEPOINT = 1
    TRACING = 2
    CGROUP = 3
    ITER = 4
    NETNS = 5
    XDP = 6
    PERF_EVENT = 7
    KPROBE_MULTI = 8
    STRUCT_OPS = 9
    NETFILTER = 10
    TCX = 11
    UPROBE_MULTI = 12
    NETKIT = 13
    SOCKMAP = 14
    TRACING_MULTI = 15


class PerfEventType(IntEnum):
    """What a perf event link is attached to."""

    UNSPEC = 0
    UPROBE = 1
    URETPROBE = 2
    KPROBE = 3
    KRETPROBE = 4
    TRACEPOINT = 5
    EVENT = 6


class KprobeMultiFlags(IntFlag):
    """`kprobe_multi.flags` of BPF_LINK_CREATE."""

    RETURN = 1


class UprobeMultiFlags(IntFlag):
    """`uprobe_multi.flags` of BPF_LINK_CREATE."""

    RETURN = 1
    PATH_FD = 2


class NetfilterFlags(IntFlag):
    """`netfilter.flags` of BPF_LINK_CREATE."""

    IP_DEFRAG = 1


class CgroupIterOrder(IntEnum):
    """Order in which a cgroup iterator walks."""

    ORDER_UNSPEC = 0
    SELF_ONLY = 1
    DESCENDANTS_PRE = 2
    DESCENDANTS_POST = 3
    ANCESTORS_UP = 4
    CHILDREN = 5
