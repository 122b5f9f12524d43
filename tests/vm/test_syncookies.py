"""SYN cookies beside the kernel's: the cookies differ, what is said of them does not."""

from __future__ import annotations

import struct

import pytest

from pybpf import VM, Array, ProgramSpec, asm, load
from pybpf.uapi import ProgType
from pybpf.vm import PseudoSocket

FRAME = bytes(12) + b"\x88\xb5" + bytes(60)
ENGINES = ("interpreter", "translator")
IP = {4: bytes([0x45]) + bytes(11) + bytes(range(8)), 6: bytes([0x60]) + bytes(7) + bytes(range(32))}

# The headers are in a map: the IP header at 0, the TCP header at 64; what was said is stored from 128 on.
RAW = """
    r6 = map[id:m][0]+0
    r7 = r6
    r7 += 64
    r1 = r6
    r2 = r7
    r3 = {length}
    call bpf_tcp_raw_gen_syncookie_ipv{version}
    *(u64 *)(r6 + 128) = r0
    if r0 s< 0 goto out
    r0 += {error}
    w0 += 1
    r0 = be32 r0
    *(u32 *)(r7 + 8) = r0
    r1 = *(u32 *)(r7 + 4)
    r1 = be32 r1
    r1 += 1
    r1 = be32 r1
    *(u32 *)(r7 + 4) = r1
    r1 = r6
    r2 = r7
    call bpf_tcp_raw_check_syncookie_ipv{version}
    *(u64 *)(r6 + 136) = r0
out:
    r0 = 0
    exit
"""


def tcp(options: bytes = b"", flags: int = 2, words: int | None = None) -> bytes:
    length = 5 + len(options) // 4 if words is None else words
    return struct.pack(">HHIIBBHHH", 1000, 80, 0x01020304, 0, length << 4, flags, 100, 0, 0) + options


def mss(size: int) -> bytes:
    return b"\2\4" + size.to_bytes(2, "big")


HEADERS = [
    (20, tcp()),
    (24, tcp(mss(1460))),
    (24, tcp(mss(1300))),
    (24, tcp(mss(1299))),
    (24, tcp(mss(20))),
    (24, tcp(mss(9000))),
    (24, tcp(mss(0))),
    (28, tcp(b"\1\1\1\1" + mss(1440))),
    (28, tcp(mss(1440) + b"\0\0\0\0")),
    (28, tcp(b"\0\0\0\0" + mss(1440))),
    (28, tcp(b"\3\3\7\1" + mss(1440))),
    (24, tcp(b"\2\x20\5\5")),
    (24, tcp(b"\2\1\5\5")),
    (20, tcp(words=6)),
    (24, tcp(words=5)),
    (20, tcp(words=4)),
]


def said(machine, run) -> tuple[int, int]:
    """The size (or the error), and what checking said."""
    run(data=FRAME)
    first, second = struct.unpack_from("2q", bytes(machine["m"][0]), 128)
    return (first if first < 0 else first >> 32), second


@pytest.mark.kernel
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("error", [0, 1, 4, 100])
def test_raw_cookies(version, error):
    for length, header in HEADERS:
        text = RAW.format(version=version, length=length, error=error)
        raw = (IP[version].ljust(64, b"\0") + header).ljust(144, b"\0")
        m = Array(144, max_entries=1, name="m", contents=[(0, raw)])
        spec = ProgramSpec(asm.assemble(text), ProgType.XDP, license="GPL", maps={"m": m})
        with load(spec) as prog:
            expected = said(prog, prog.test_run)
        for engine in ENGINES:
            vm = VM(spec, engine=engine)
            assert said(vm, vm.run) == expected, (length, header)


LISTENER = """
    r6 = map[id:m][0]+0
    *(u64 *)(r10 - 16) = 0
    *(u64 *)(r10 - 8) = 0
    *(u16 *)(r10 - 6) = {port}
    r2 = r10
    r2 += -16
    r3 = 12
    r4 = -1
    r5 = 0
    call bpf_skc_lookup_tcp
    if r0 == 0 goto out
    r1 = r0
    r2 = r6
    r3 = 20
    r4 = r6
    r4 += 64
    r5 = 20
    call bpf_tcp_{call}_syncookie
    exit
out:
    r0 = 77
    exit
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_cookies_of_a_listener(engine):
    programs = {}
    for call in ("gen", "check"):
        text = LISTENER.format(call=call, port=0x5000)
        m = Array(144, max_entries=1, name="m")
        programs[call] = ProgramSpec(asm.assemble(text), ProgType.XDP, name=call, license="GPL", maps={"m": m})
    vm = VM(*programs.values(), engine=engine)
    vm.env.sockets = [PseudoSocket(family=2, protocol=6, src_port=80, listening=True)]

    def call(name: str, header: bytes) -> int:
        vm[programs[name].maps["m"]][0] = (IP[4].ljust(64, b"\0") + header).ljust(144, b"\0")
        r0 = vm.run(programs[name], data=FRAME).r0
        return r0 - (1 << 64) if r0 >> 63 else r0

    made = call("gen", tcp())
    assert made >> 32 == 536
    answer = struct.pack(
        ">HHIIBBHHH", 1000, 80, 0x01020305, (made & 0xFFFFFFFF) + 1 & 0xFFFFFFFF, 5 << 4, 16, 100, 0, 0
    )
    assert call("check", answer) == 0
    assert call("check", answer[:8] + bytes(4) + answer[12:]) == -2
    assert call("check", tcp(flags=2)) == -2
    assert call("gen", tcp(flags=18)) == -22
    vm.env.sockets = [PseudoSocket(family=2, protocol=6, src_port=80, state=1)]
    assert call("gen", tcp()) == -22
