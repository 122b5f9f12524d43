"""Helpers on packets with every combination of sizes, modes and flags: result, errno and packet as the kernel's."""

from __future__ import annotations

from itertools import product

import pytest

from pybpf import VM, ProgramSpec, VerifierError, asm, load
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel
CLS, XDP = ProgType.SCHED_CLS, ProgType.XDP
IPV4 = bytes(12) + b"\x08\0" + bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6]) + bytes(range(54))
IPV6 = bytes(12) + b"\x86\xdd" + bytes([0x60, 0, 0, 0, 0, 40, 17, 64]) + bytes(range(80))
OTHERS = {
    "IPv6": IPV6,
    "tagged": IPV4[:12] + b"\x81\0\0\5" + IPV4[12:],
    "ARP": bytes(12) + b"\x08\x06" + bytes(46),
}
BUFFER = "r6 = r1\nr3 = r10\nr3 += -8\n*(u64 *)(r10 - 8) = {}\nr1 = r6\n"
SMALL = (0, 1, 8, 20, 40, 200, 300, 4096, -1, -8, -20, -40, -60, -70)
ROOM = (0, 1, 2, 3, 4, 6, 8, 16, 24, 32, 64, 128, 256, 384, 2 | 64 | 14 << 56, 2 | 64 | 8 << 56, 2 | 30 << 56, 1024)
MOVES = (
    -300,
    -257,
    -256,
    -217,
    -216,
    -215,
    -100,
    -32,
    -4,
    -3,
    -1,
    0,
    1,
    4,
    14,
    60,
    64,
    65,
    66,
    80,
    3000,
    3440,
    3445,
    4000,
)
NEAR = (0, 1, 60, 70, 77, 78, 79, 80, -1)


def calls(name: str, *operands, before: str = "", behind: str = "") -> list[str]:
    """The text of a call for each combination; operands begin at r2."""
    out = []
    for values in product(*operands):
        sets = [f"r{i} = {v}{' ll' if abs(v) >> 31 else ''}" for i, v in enumerate(values, 2) if v is not None]
        out.append(before + "\n".join([*sets, f"call bpf_{name}"]) + behind)
    return out


TWICE = "\nr8 = r0\nr1 = r6\nr2 = 20\nr3 = 1\nr4 = 2\ncall bpf_skb_adjust_room\nr0 ^= r8"
XOR = "\nr1 = *(u64 *)(r10 - 8)\nr0 ^= r1"
TABLE: dict[str, tuple[list[str], tuple[ProgType, ...]]] = {
    "adjust_room": (calls("skb_adjust_room", SMALL, (0, 1, 2), ROOM), (CLS,)),
    "adjust_room twice": (
        calls("skb_adjust_room", (8, 20), (0, 1), (0, 2, 4), before="r6 = r1\n", behind=TWICE), (CLS,),
    ),
    "change_tail": (calls("skb_change_tail", (0, 13, 14, 20, 200, 5000, 16064, 16065, 65535), (0, 1)), (CLS,)),
    "change_head": (calls("skb_change_head", (0, 1, 40, 200, 3000, 15900, 16065), (0, 1)), (CLS,)),
    "pull_data": (calls("skb_pull_data", (0, 1, 40, 77, 78, 79, 80, 5000)), (CLS,)),
    "change_proto": (calls("skb_change_proto", (0x0008, 0xDD86, 0, 0x0608), (0, 1)), (CLS,)),
    "change_type": (calls("skb_change_type", range(6)), (CLS,)),
    "vlan_push": (calls("skb_vlan_push", (0x0081, 0xA888, 0, 5), (0, 5, 0xFFF, 0x1FFF, 0xFFFF)), (CLS,)),
    "vlan_pop": (["call bpf_skb_vlan_pop", "r6 = r1\ncall bpf_skb_vlan_pop\nr1 = r6\ncall bpf_skb_vlan_pop"], (CLS,)),
    "set_tstamp": (calls("skb_set_tstamp", (0, 1, 100), (0, 1, 2, 3)), (CLS,)),
    "check_mtu": (
        [
            text
            for v in (0, 50, 1500, 65536, 70000)
            for text in calls("check_mtu", (0, 1), (None,), (0, 10, -10, 70000), (0, 1, 2), before=BUFFER.format(v))
        ],
        (CLS, XDP),
    ),
    "redirect": (
        [f"r1 = {i}\nr2 = {f}\ncall bpf_redirect" for i in (0, 1, 5) for f in (0, 1, 2)],
        (CLS, XDP, ProgType.LWT_XMIT),
    ),
    "store_bytes": (calls("skb_store_bytes", NEAR, (None,), (1, 4, 8), range(5), before=BUFFER.format(7)), (CLS,)),
    "load_bytes": (
        calls("skb_load_bytes", NEAR, (None,), (1, 4, 8), before=BUFFER.format(7), behind=XOR),
        (CLS, ProgType.SOCKET_FILTER),
    ),
    "load_bytes_relative": (
        calls("skb_load_bytes_relative", NEAR, (None,), (1, 8), (0, 1, 2), before=BUFFER.format(7), behind=XOR),
        (CLS, ProgType.SOCKET_FILTER),
    ),
    "l3_csum_replace": (calls("l3_csum_replace", (24, 25, 77, 78, 70000), (0, 0x1234), (0, 7, 0xFFFF), (0, 2, 3, 4, 16)), (CLS,)),
    "l4_csum_replace": (
        calls("l4_csum_replace", (34, 35, 77, 70000), (0, 1), (0, 7, 0xFFFF), (0, 2, 3, 4, 16, 18, 34, 98, 256)), (CLS,),
    ),
    "hash": (["call bpf_set_hash_invalid", "r2 = 5\ncall bpf_set_hash", *calls("csum_level", range(5))], (CLS,)),
    **{f"adjust_{what}": (calls(f"xdp_adjust_{what}", MOVES), (XDP,)) for what in ("head", "tail", "meta")},
    "xdp_load_bytes": (
        calls("xdp_load_bytes", NEAR, (None,), (1, 4, 8), before=BUFFER.format(7), behind=XOR), (XDP,),
    ),
    "xdp_store_bytes": (calls("xdp_store_bytes", NEAR, (None,), (1, 4, 8), before=BUFFER.format(7)), (XDP,)),
}  # fmt: skip


def calls_of_csum_diff() -> list[str]:
    numbers = (
        "*(u64 *)(r10 - 8) = 0x12345678\n*(u64 *)(r10 - 16) = -3\n*(u64 *)(r10 - 24) = 77\n*(u64 *)(r10 - 32) = 9\n"
    )
    return [
        f"{numbers}r1 = r10\nr1 += -16\nr2 = {one}\nr3 = r10\nr3 += -32\nr4 = {two}\nr5 = {seed} ll\ncall bpf_csum_diff"
        for one, two, seed in product((0, 4, 6, 8, 16), (0, 3, 4, 8, 16), (0, 1, 0xFFFF, 0xFFFFFFFF, 0x12345678))
    ]


def calls_of_probe_read() -> list[str]:
    """From NULL, an address of nobody's process, and the stack, with all sizes."""
    numbers = "*(u64 *)(r10 - 16) = 0x414243\n*(u64 *)(r10 - 8) = -1\nr1 = r10\nr1 += -8\n"
    return [
        f"{numbers}r2 = {size}\n{source}\ncall bpf_probe_read_{kind}\nr0 *= 31{XOR}"
        for size in (0, 1, 8)
        for source in ("r3 = 0", "r3 = 4096", "r3 = r10\nr3 += -16")
        for kind in ("kernel", "user", "kernel_str", "user_str")
    ]


TABLE["probe_read"] = (calls_of_probe_read(), (CLS,))
TABLE["csum_diff"] = (calls_of_csum_diff(), (CLS,))


def compare(text: str, prog_type: ProgType, frame: bytes) -> bool:
    spec = ProgramSpec(asm.assemble(text + "\nexit"), prog_type, license="GPL")
    try:
        prog = load(spec)
    except VerifierError:
        return False
    with prog:
        kernel = prog.test_run(data=frame)
    for engine in ("interpreter", "translator"):
        offline = VM(spec, engine=engine).run(data=frame)
        assert (hex(offline.retval), offline.data.hex()) == (hex(kernel.retval), kernel.data.hex()), text
    return True


@pytest.mark.parametrize("name", TABLE)
def test_helpers(name):
    texts, types = TABLE[name]
    taken = [compare(text, prog_type, IPV4) for text in texts for prog_type in types]
    assert sum(taken) > len(taken) / 2


@pytest.mark.parametrize("size", [3520, 3521, 5000, 7616, 9000])
def test_fragments(size):
    """Frames that do not fit one page: their end is moved, and bytes are read and written over the borders."""
    frame = bytes(i & 255 for i in range(size))
    left = (3520 - size) % 4096
    for delta in (-1, -1000, -1480, -1481, -5000, 0, 1, left, left + 1, 5000):
        compare(f"r2 = {delta}\ncall bpf_xdp_adjust_tail", XDP, frame)
    for offset in (0, 3516, 3520, 7614, 7616, size - 8, size - 1, size):
        for text in calls("xdp_load_bytes", (offset,), (None,), (1, 8), before=BUFFER.format(7), behind=XOR):
            compare(text, XDP, frame)
        for text in calls("xdp_store_bytes", (offset,), (None,), (1, 8), before=BUFFER.format(7)):
            compare(text, XDP, frame)


@pytest.mark.parametrize("frame", OTHERS)
def test_other_protocols(frame):
    """Every eleventh call, on frames that are not IPv4."""
    for texts, types in TABLE.values():
        for text in texts[::11]:
            for prog_type in types:
                compare(text, prog_type, OTHERS[frame])
