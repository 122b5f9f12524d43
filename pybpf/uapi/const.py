"""Sizes that the UAPI names.

Written by tools/gen_uapi.py; do not edit.
From Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

BPF_OBJ_NAME_LEN = 16
BPF_TAG_SIZE = 8
BPF_BUILD_ID_SIZE = 20
XDP_PACKET_HEADROOM = 256
