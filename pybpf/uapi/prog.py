"""Constants of the kernel: ProgType, ProgFlags, RunFlags

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1, Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ProgType(IntEnum):
    """Program types."""

    UNSPEC = 0
    SOCKET_FILTER = 1
    KPROBE = 2
    SCHED_CLS = 3
    SCHED_ACT = 4
    TRACEPOINT = 5
    XDP = 6
    PERF_EVENT = 7
    CGROUP_SKB = 8
    CGROUP_SOCK = 9
    LWT_IN = 10
    LWT_OUT = 11
    LWT_XMIT = 12
    SOCK_OPS = 13
    SK_SKB = 14
    CGROUP_DEVICE = 15
    SK_MSG = 16
    RAW_TRACEPOINT = 17
    CGROUP_SOCK_ADDR = 18
    LWT_SEG6LOCAL = 19
    LIRC_MODE2 = 20
    SK_REUSEPORT = 21
    FLOW_DISSECTOR = 22
    CGROUP_SYSCTL = 23
    RAW_TRACEPOINT_WRITABLE = 24
    CGROUP_SOCKOPT = 25
    TRACING = 26
    STRUCT_OPS = 27
    EXT = 28
    LSM = 29
    SK_LOOKUP = 30
    SYSCALL = 31
    NETFILTER = 32


class ProgFlags(IntFlag):
    """`prog_flags` of BPF_PROG_LOAD."""

    STRICT_ALIGNMENT = 1
    ANY_ALIGNMENT = 2
    TEST_RND_HI32 = 4
    TEST_STATE_FREQ = 8
    SLEEPABLE = 0x10
    XDP_HAS_FRAGS = 0x20
    XDP_DEV_BOUND_ONLY = 0x40
    TEST_REG_INVARIANTS = 0x80


class RunFlags(IntFlag):
    """`flags` of BPF_PROG_TEST_RUN."""

    RUN_ON_CPU = 1
    XDP_LIVE_FRAMES = 2
    SKB_CHECKSUM_COMPLETE = 4
