"""Constants of the kernel: RingbufFlags, RingbufQuery, RingbufHeader

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1, Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class RingbufFlags(IntFlag):
    """Flags of the ringbuf submit, discard and output helpers."""

    NO_WAKEUP = 1
    FORCE_WAKEUP = 2


class RingbufQuery(IntEnum):
    """What bpf_ringbuf_query tells."""

    AVAIL_DATA = 0
    RING_SIZE = 1
    CONS_POS = 2
    PROD_POS = 3
    OVERWRITE_POS = 4


class RingbufHeader(IntFlag):
    """Bits of a record's length word, and the header's size."""

    HDR_SZ = 8
    DISCARD_BIT = 0x40000000
    BUSY_BIT = 0x80000000
