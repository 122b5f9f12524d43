"""Classic BPF: the packet filters of tcpdump, SO_ATTACH_FILTER and seccomp.

    >>> from pybpf import cbpf
    >>> f = cbpf.parse("ldh [12]; jeq #0x800, ip; ret #0; ip: ret #-1")
    >>> f.run(bytes(12) + b"\\x08\\x00" + bytes(20))
    4294967295
    >>> print(f.format("decimal"))
    4
    40 0 0 12
    21 1 0 2048
    6 0 0 0
    6 0 0 4294967295

A `Filter` is checked by the kernel's rules when it is made, so every one that exists can be attached.
`filter.to_ebpf()` is the same filter as a `ProgramSpec`; `pcap_filter("tcp port 80")` compiles an expression
with libpcap; `Seccomp` builds filters over system calls.
"""

from __future__ import annotations

from .check import check
from .filter import Filter
from .insn import EXTENSIONS, MAX_INSNS, Insn, decode, encode
from .machine import Packet
from .pcap import DLT, pcap_filter
from .seccomp import ARCHES, Seccomp, SeccompData
from .text import parse

__all__ = [
    "ARCHES",
    "DLT",
    "EXTENSIONS",
    "MAX_INSNS",
    "Filter",
    "Insn",
    "Packet",
    "Seccomp",
    "SeccompData",
    "check",
    "decode",
    "encode",
    "parse",
    "pcap_filter",
]
