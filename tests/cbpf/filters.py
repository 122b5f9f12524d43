"""Shared by the tests of classic BPF: expressions, packets, and a generator of random valid filters."""

from __future__ import annotations

import random
import struct

from pybpf.cbpf import Insn
from pybpf.cbpf.insn import OPCODES

EXPRESSIONS = [
    "ip",
    "arp or rarp",
    "ip and tcp port 8080",
    "udp and not port 53",
    "ip6 and tcp dst portrange 1000-2000",
    "host 10.0.0.1 and icmp",
    "net 192.168.0.0/16 and (tcp or udp)",
    "vlan 5 and ip",
    "ether host 02:00:00:00:00:01",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "ip[2:2] % 3 = 1 and len >= 100",
    "ip[0] & 0xf = 5 and ip[8] > 32 or greater 900",
    "icmp6 and ip6[40] = 128",
    "ip[2:2] / ip[1:1] = 3",
]


def ethernet(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return bytes.fromhex("020000000002020000000001") + struct.pack(">H", ethertype) + payload


def ipv4(payload: bytes, protocol: int, ttl: int = 64) -> bytes:
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 3, 20 + len(payload), 1, 0, ttl, protocol, 0, b"\x0a\0\0\1", b"\xc0\xa8\0\2"
    )
    return header + payload


def tcp(dport: int, flags: int = 2) -> bytes:
    return struct.pack(">HHIIBBHHH", 40000, dport, 1, 0, 0x50, flags, 1000, 0, 0)


def udp(dport: int, payload: bytes = b"data") -> bytes:
    return struct.pack(">HHHH", 40000, dport, 8 + len(payload), 0) + payload


PACKETS = [
    ethernet(ipv4(tcp(8080), 6)),
    ethernet(ipv4(tcp(80, 0x11), 6, ttl=9)),
    ethernet(ipv4(udp(53), 17)),
    ethernet(ipv4(udp(1234, bytes(1000)), 17)),
    ethernet(ipv4(b"\x08\x00" + bytes(30), 1)),
    ethernet(struct.pack(">H", 5) + b"\x08\x00" + ipv4(tcp(8080), 6), 0x8100),
    ethernet(struct.pack(">IHBB", 6 << 28, 20, 6, 64) + bytes(15) + b"\1" + bytes(16) + tcp(1500), 0x86DD),
    ethernet(struct.pack(">IHBB", 6 << 28, 8, 58, 64) + bytes(32) + b"\x80\0" + bytes(6), 0x86DD),
    ethernet(bytes(28), 0x0806),
    ethernet(b""),
    b"\x01\x02\x03",
]

_LOADS = [code for code, (op, _) in OPCODES.items() if op.startswith("ld")]
_ALU = [code for code, (op, kind) in OPCODES.items() if code & 7 == 4]
_JUMPS = [code for code, (op, _) in OPCODES.items() if op.startswith("j")]


def random_filter(rng: random.Random, length: int = 24) -> list[Insn]:
    """Instructions that pass the static check: every scratch word is written first, jumps stay inside."""
    words = [0, 3, 15]
    insns = [Insn(0x00, k=rng.getrandbits(32)), *(Insn(0x02, k=m) for m in words), Insn(0x01, k=rng.getrandbits(5))]
    while len(insns) < length:
        left = length - len(insns)
        kind = rng.choice(("load", "load", "alu", "alu", "alu", "jump", "store", "misc"))
        if kind == "load":
            code = rng.choice(_LOADS)
            kind_k = OPCODES[code][1]
            k = (
                rng.choice(words)
                if kind_k == "mem"
                else rng.choice((rng.randrange(70), rng.randrange(70), 0xFFFFFFF0 if kind_k == "ind" else 1))
            )
            insns.append(Insn(code, k=rng.getrandbits(32) if kind_k == "imm" else k))
        elif kind == "alu":
            code = rng.choice(_ALU)
            op = OPCODES[code][0]
            insns.append(
                Insn(code, k=rng.randrange(1, 32) if op in ("lsh", "rsh", "div", "mod") else rng.getrandbits(32))
            )
        elif kind == "jump":
            code = rng.choice(_JUMPS)
            if code == 0x05:
                insns.append(Insn(code, k=rng.randrange(min(left, 4))))
            else:
                k = rng.choice((rng.getrandbits(32), rng.getrandbits(6)))
                insns.append(Insn(code, rng.randrange(min(left, 5)), rng.randrange(min(left, 5)), k))
        elif kind == "store":
            insns.append(Insn(rng.choice((0x02, 0x03)), k=rng.choice(words)))
        else:
            insns.append(Insn(rng.choice((0x07, 0x87))))
    return [*insns, Insn(0x54, k=0x7F), Insn(0x16)]
